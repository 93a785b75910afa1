package plan

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

var (
	plansDesc = prometheus.NewDesc("capnt_plans",
		"NutanixPlans that exist, by cause and phase. Old plans in a final phase are removed and not counted.", []string{"cause", "phase"}, nil)
	waitingDesc = prometheus.NewDesc("capnt_plans_waiting",
		"NutanixPlans that wait for approvals or for the end of a freeze, by cause and disruption class.", []string{"cause", "disruption"}, nil)
	policiesDesc = prometheus.NewDesc("capnt_plan_policies",
		"NutanixPlanPolicies by the status of their condition Ready. Policies that are not ready deny plans.", []string{"ready"}, nil)
)

// scrapeTimeout limits the time in which the objects for the gauges are read. They are read from a cache, which is not filled yet when
// the manager has just become the leader.
const scrapeTimeout = 2 * time.Second

// Metrics are the metrics of plans and policies. Metrics implements prometheus.Collector.
//
// The gauges count the objects that exist at the time of the scrape, so they are correct after a restart. The histograms count what this
// process has observed. They start at zero after a restart, as Prometheus expects.
type Metrics struct {
	reader  client.Reader
	elected <-chan struct{}
	waited  *prometheus.HistogramVec
	applied *prometheus.HistogramVec
}

// NewMetrics returns metrics that read plans and policies with reader. elected is closed when this process becomes the leader. Only the
// leader exports gauges, so that the sum over all pods counts each object once.
func NewMetrics(reader client.Reader, elected <-chan struct{}) *Metrics {
	const minute, hour = 60, 3600
	m := &Metrics{
		reader: reader, elected: elected,
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "capnt_plan_waiting_duration_seconds",
			Help:    "Time from the record of a plan that had to wait to the decision about it, by decision.",
			Buckets: []float64{10, minute, 5 * minute, 15 * minute, hour, 4 * hour, 8 * hour, 12 * hour, 24 * hour, 72 * hour},
		}, []string{"decision"}),
		applied: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "capnt_plan_apply_duration_seconds",
			Help:    "Time from the begin of an apply to its result, by cause and final phase of the plan. Applies that a restart interrupted are not counted.",
			Buckets: []float64{0.5, 1, 2.5, 5, 10, 30, minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute},
		}, []string{"cause", "result"}),
	}
	for _, cause := range []infrav1.PlanCause{infrav1.PlanCauseCreate, infrav1.PlanCauseUpdate, infrav1.PlanCauseDrift, infrav1.PlanCauseImport,
		infrav1.PlanCauseDelete, infrav1.PlanCauseMigrate, infrav1.PlanCauseForget, infrav1.PlanCauseUntaint} {
		// Prometheus does not see an increase if the first sample of a counter is not zero.
		m.applied.WithLabelValues(string(cause), string(infrav1.PlanPhaseFailed))
	}
	return m
}

// observe records that the status of a plan was written. before is the plan before that, and applying is the time at which this process
// began its apply, or zero. If m is nil, observe does nothing.
func (m *Metrics) observe(before, object *infrav1.NutanixPlan, verdict Verdict, applying, now time.Time) {
	if m == nil {
		return
	}
	if before.Status.Phase == infrav1.PlanPhaseWaiting && before.Status.DecidedTime == nil && object.Status.DecidedTime != nil {
		m.waited.WithLabelValues(string(verdict.Decision)).Observe(now.Sub(object.CreationTimestamp.Time).Seconds())
	}
	if object.Status.Phase.Final() && !applying.IsZero() {
		m.applied.WithLabelValues(string(object.Spec.Cause), string(object.Status.Phase)).Observe(now.Sub(applying).Seconds())
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- plansDesc
	descs <- waitingDesc
	descs <- policiesDesc
	m.waited.Describe(descs)
	m.applied.Describe(descs)
}

// Collect implements prometheus.Collector. It leaves out gauges whose objects cannot be read in time.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.waited.Collect(metrics)
	m.applied.Collect(metrics)
	select {
	case <-m.elected:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	m.collectPlans(ctx, metrics)
	m.collectPolicies(ctx, metrics)
}

func (m *Metrics) collectPlans(ctx context.Context, metrics chan<- prometheus.Metric) {
	list := &infrav1.NutanixPlanList{}
	if err := m.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	plans, waiting := map[[2]string]float64{}, map[[2]string]float64{}
	for i := range list.Items {
		spec, phase := &list.Items[i].Spec, cmp.Or(list.Items[i].Status.Phase, infrav1.PlanPhaseRecorded)
		plans[[2]string{string(spec.Cause), string(phase)}]++
		if phase == infrav1.PlanPhaseWaiting {
			waiting[[2]string{string(spec.Cause), string(spec.Disruption)}]++
		}
	}
	for labels, count := range plans {
		metrics <- prometheus.MustNewConstMetric(plansDesc, prometheus.GaugeValue, count, labels[:]...)
	}
	for labels, count := range waiting {
		metrics <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, count, labels[:]...)
	}
}

func (m *Metrics) collectPolicies(ctx context.Context, metrics chan<- prometheus.Metric) {
	list := &infrav1.NutanixPlanPolicyList{}
	if err := m.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	policies := map[metav1.ConditionStatus]float64{metav1.ConditionTrue: 0, metav1.ConditionFalse: 0, metav1.ConditionUnknown: 0}
	for i := range list.Items {
		status := metav1.ConditionUnknown
		if ready := conditions.Get(&list.Items[i], infrav1.ReadyCondition); ready != nil {
			status = ready.Status
		}
		policies[status]++
	}
	for status, count := range policies {
		metrics <- prometheus.MustNewConstMetric(policiesDesc, prometheus.GaugeValue, count, string(status))
	}
}
