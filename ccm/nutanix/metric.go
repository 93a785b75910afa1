package nutanix

import (
	"strconv"
	"sync"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// Metrics are served by the cloud controller manager together with the framework's own.
var (
	requestsTotal = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "capnt_ccm_prism_requests_total",
		Help:           "HTTP requests to Prism Central by operation and status code; the code is \"error\" when there was no answer.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"operation", "code"})
	requestDuration = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Name:           "capnt_ccm_prism_request_duration_seconds",
		Help:           "How long Prism Central took to answer one HTTP request.",
		Buckets:        metrics.ExponentialBuckets(0.01, 2, 13),
		StabilityLevel: metrics.ALPHA,
	}, []string{"operation"})
	taskDuration = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Name:           "capnt_ccm_prism_task_duration_seconds",
		Help:           "How long the task of a change took in Prism Central, from its acceptance until it ended or was given up.",
		Buckets:        metrics.ExponentialBuckets(0.1, 2, 12),
		StabilityLevel: metrics.ALPHA,
	}, []string{"operation"})
	cacheLookups = metrics.NewCounterVec(&metrics.CounterOpts{
		Name:           "capnt_ccm_prism_cache_lookups_total",
		Help:           "Look-ups in lists that are shared for a short time: hit, miss (asked Prism Central), shared (waited for another's request) or error.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"list", "result"})
)

var registerMetrics = sync.OnceFunc(func() {
	legacyregistry.MustRegister(requestsTotal, requestDuration, taskDuration, cacheLookups)
})

// observeRequest counts one HTTP request. status is 0 if there was no response.
func observeRequest(operation string, status int, started time.Time) {
	code := "error"
	if status != 0 {
		code = strconv.Itoa(status)
	}
	requestsTotal.WithLabelValues(operation, code).Inc()
	requestDuration.WithLabelValues(operation).Observe(time.Since(started).Seconds())
}

func observeTask(operation string, started time.Time) {
	taskDuration.WithLabelValues(operation).Observe(time.Since(started).Seconds())
}
