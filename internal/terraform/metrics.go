package terraform

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics contains the metrics of Terraform commands. If a command succeeds, the value of the label class is empty.
type metrics struct {
	duration *prometheus.HistogramVec
	running  prometheus.Gauge
}

func newMetrics() *metrics {
	return &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "capnt_terraform_command_duration_seconds",
			Help:    "Wall time of Terraform commands by verb and class of failure (empty: success).",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600, 1800},
		}, []string{"verb", "class"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "capnt_terraform_commands_running",
			Help: "Terraform commands that are running now.",
		}),
	}
}

// started records the start of a command. It returns a function that records the end of the command.
func (m *metrics) started() func(verb string, failure *Error, elapsed time.Duration) {
	m.running.Inc()
	return func(verb string, failure *Error, elapsed time.Duration) {
		m.running.Dec()
		class := Class("")
		if failure != nil {
			class = failure.Class
		}
		m.duration.WithLabelValues(verb, string(class)).Observe(elapsed.Seconds())
	}
}

// Collectors returns the metrics of all runs. They must be registered only once.
func (t *Terraform) Collectors() []prometheus.Collector {
	return []prometheus.Collector{t.metrics.duration, t.metrics.running}
}
