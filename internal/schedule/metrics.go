package schedule

import (
	"github.com/prometheus/client_golang/prometheus"
)

var (
	lanes    = []Lane{Delete, Create, Update, Check}
	runsDesc = prometheus.NewDesc("capnt_runs", "Runs by lane and state (queued or active).", []string{"lane", "state"}, nil)
)

func newWaitMetric() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "capnt_run_queue_duration_seconds",
		Help:    "How long runs were queued before they started, by lane.",
		Buckets: []float64{0.1, 1, 5, 15, 60, 300, 900, 3600},
	}, []string{"lane"})
}

// String returns the name of the lane in metrics.
func (l Lane) String() string {
	return [...]string{Delete: "delete", Create: "create", Update: "update", Check: "check"}[l]
}

// Describe implements prometheus.Collector.
func (s *Scheduler) Describe(descs chan<- *prometheus.Desc) {
	descs <- runsDesc
	s.waits.Describe(descs)
}

// Collect implements prometheus.Collector.
func (s *Scheduler) Collect(metrics chan<- prometheus.Metric) {
	s.waits.Collect(metrics)
	s.mu.Lock()
	queued, active := byLane(s.queue), byLane(s.active)
	s.mu.Unlock()
	for _, lane := range lanes {
		metrics <- prometheus.MustNewConstMetric(runsDesc, prometheus.GaugeValue, queued[lane], lane.String(), "queued")
		metrics <- prometheus.MustNewConstMetric(runsDesc, prometheus.GaugeValue, active[lane], lane.String(), "active")
	}
}

func byLane(runs []*entry) map[Lane]float64 {
	count := map[Lane]float64{}
	for _, run := range runs {
		count[run.Lane]++
	}
	return count
}
