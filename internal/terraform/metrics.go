package terraform

import (
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics contains the metrics of Terraform commands. If a command succeeds, the value of the label class is empty.
type metrics struct {
	duration *prometheus.HistogramVec
	running  prometheus.Gauge
	cpu      *prometheus.CounterVec

	// counted is the CPU time of child processes that cpu contains.
	mu      sync.Mutex
	counted time.Duration
}

// providerVerb is the value of the label verb for the CPU time of providers that a run has started for all its commands.
const providerVerb = "provider"

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
		cpu: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "capnt_terraform_cpu_seconds_total",
			Help: "CPU time (user and system) of Terraform processes by verb. Providers that serve several commands have the verb provider.",
		}, []string{"verb"}),
		counted: childCPU(),
	}
}

// ended adds the CPU time of a process that has just ended to the counter of verb. Package tfexec does not report the CPU time of a
// process. Therefore ended adds what the ended processes of the manager have used since its last call. The sum over all verbs is exact.
// If two processes end at the same time, one verb may get the CPU time of both.
func (m *metrics) ended(verb string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := max(childCPU(), m.counted)
	m.cpu.WithLabelValues(verb).Add((used - m.counted).Seconds())
	m.counted = used
}

// childCPU returns the CPU time of all child processes of this process that have ended, with their own children.
func childCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// started records the start of a command. It returns a function that records the end of the command.
func (m *metrics) started() func(verb string, failure *Error, elapsed time.Duration) {
	m.running.Inc()
	return func(verb string, failure *Error, elapsed time.Duration) {
		m.running.Dec()
		m.ended(verb)
		class := Class("")
		if failure != nil {
			class = failure.Class
		}
		m.duration.WithLabelValues(verb, string(class)).Observe(elapsed.Seconds())
	}
}

// Collectors returns the metrics of all runs. They must be registered only once.
func (t *Terraform) Collectors() []prometheus.Collector {
	return []prometheus.Collector{t.metrics.duration, t.metrics.running, t.metrics.cpu}
}
