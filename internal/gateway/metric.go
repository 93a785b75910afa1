package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics contains the metrics of the gateway. Label values come from small fixed sets. They contain no paths, objects or accounts.
type metrics struct {
	requests       *prometheus.CounterVec
	duration       *prometheus.HistogramVec
	runRequests    *prometheus.HistogramVec
	retries        *prometheus.CounterVec
	refusals       *prometheus.CounterVec
	recordFailures *prometheus.CounterVec
	sessions       prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	const namespace, subsystem = "capnt", "gateway"
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "requests_total",
			Help: "Requests of Terraform runs, by method, class of the response status and mode of the session.",
		}, []string{"method", "status", "mode"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "request_duration_seconds",
			Help:    "Time from a request of a Terraform run to the end of its response, including retries.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 11),
		}, []string{"method", "mode"}),
		runRequests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "run_requests",
			Help: "Requests of one Terraform run, by generation of the API (v3, v4 or other) and class (read or write). " +
				"A run without such requests is not counted.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500},
		}, []string{"api", "class"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "retries_total",
			Help: "Reads that were retried, by fault: a status, or connection.",
		}, []string{"fault"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "refusals_total",
			Help: "Requests of Terraform runs that were not forwarded, by reason.",
		}, []string{"reason"}),
		recordFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "create_record_failures_total",
			Help: "Creations of VMs that could not be recorded, by call: Sending (the create was not sent), Accepted or Refused.",
		}, []string{"call"}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "sessions",
			Help: "Open sessions of Terraform runs.",
		}),
	}
	if registerer == nil {
		return m, nil
	}
	for _, collector := range []prometheus.Collector{m.requests, m.duration, m.runRequests, m.retries, m.refusals, m.recordFailures, m.sessions} {
		if err := registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(method string, session *Session, status int, took time.Duration) {
	mode := "none"
	if session != nil {
		mode = session.Mode().String()
	}
	method = knownMethod(method)
	m.requests.WithLabelValues(method, strconv.Itoa(status/100)+"xx", mode).Inc()
	m.duration.WithLabelValues(method, mode).Observe(took.Seconds())
}

// knownMethod returns the label value for a method. All unknown methods have the same label value, because a client may send any string.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "OTHER"
}
