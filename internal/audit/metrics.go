package audit

import "github.com/prometheus/client_golang/prometheus"

// metrics are the metrics of a Log.
type metrics struct {
	records *prometheus.CounterVec
	errors  *prometheus.CounterVec
}

func newMetrics() metrics {
	m := metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "capnt_audit_records_total", Help: "Acknowledged records of the audit trail, by kind.",
		}, []string{"kind"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "capnt_audit_errors_total",
			Help: "Failed writes to the audit trail, by destination: trail is the file and the head, otlp a copy that was not sent.",
		}, []string{"destination"}),
	}
	for _, kind := range []Kind{Plan, Policy, Decision, Apply, Result} {
		m.records.WithLabelValues(string(kind))
	}
	for _, destination := range []string{"trail", "otlp"} {
		m.errors.WithLabelValues(destination)
	}
	return m
}

// Describe implements prometheus.Collector.
func (l *Log) Describe(descs chan<- *prometheus.Desc) {
	l.metrics.records.Describe(descs)
	l.metrics.errors.Describe(descs)
}

// Collect implements prometheus.Collector.
func (l *Log) Collect(metrics chan<- prometheus.Metric) {
	l.metrics.records.Collect(metrics)
	l.metrics.errors.Collect(metrics)
}
