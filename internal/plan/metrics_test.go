package plan

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// histogram returns how often a histogram was observed, and the sum of what was observed.
func histogram(t *testing.T, vector *prometheus.HistogramVec, labels ...string) (count uint64, sum float64) {
	t.Helper()
	metric, ok := vector.WithLabelValues(labels...).(prometheus.Metric)
	require.True(t, ok)
	var written dto.Metric
	require.NoError(t, metric.Write(&written))
	return written.GetHistogram().GetSampleCount(), written.GetHistogram().GetSampleSum()
}

func TestMetricsObserveDecisionsAndApplies(t *testing.T) {
	approved := Verdict{Decision: Approved, Reason: "approved by bob"}
	for name, test := range map[string]struct {
		phases          []infrav1.PlanPhase
		waited, applied uint64
		result          infrav1.PlanPhase
	}{
		"waits":           {[]infrav1.PlanPhase{infrav1.PlanPhaseWaiting, infrav1.PlanPhaseApproved, infrav1.PlanPhaseApplying, infrav1.PlanPhaseApplied}, 1, 1, infrav1.PlanPhaseApplied},
		"does not wait":   {[]infrav1.PlanPhase{infrav1.PlanPhaseApplying, infrav1.PlanPhaseFailed}, 0, 1, infrav1.PlanPhaseFailed},
		"is superseded":   {[]infrav1.PlanPhase{infrav1.PlanPhaseWaiting, infrav1.PlanPhaseSuperseded}, 0, 0, infrav1.PlanPhaseSuperseded},
		"waits two times": {[]infrav1.PlanPhase{infrav1.PlanPhaseWaiting, infrav1.PlanPhaseApproved, infrav1.PlanPhaseWaiting, infrav1.PlanPhaseApproved}, 1, 0, infrav1.PlanPhaseApplied},
	} {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
			store := newTestStore(t, interceptor.Funcs{Create: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.CreateOption) error {
				object.SetCreationTimestamp(metav1.NewTime(clock.Now()))
				return api.Create(ctx, object, options...)
			}})
			store.Clock, store.Metrics = clock, NewMetrics(store.Reader, nil)
			stored, err := store.Record(t.Context(), testRecord(), []byte("file"))
			require.NoError(t, err)
			for _, phase := range test.phases {
				clock.SetTime(clock.Now().Add(time.Minute))
				verdict := Verdict{}
				switch phase {
				case infrav1.PlanPhaseWaiting:
					verdict = Verdict{Decision: Waiting}
				case infrav1.PlanPhaseApproved, infrav1.PlanPhaseApplying:
					verdict = approved
				}
				stored, err = store.SetPhase(t.Context(), stored, phase, "", verdict)
				require.NoError(t, err)
			}
			count, sum := histogram(t, store.Metrics.waited, string(Approved))
			assert.Equal(t, test.waited, count)
			assert.InDelta(t, float64(test.waited)*120, sum, 0, "from the record to the first decision")
			count, sum = histogram(t, store.Metrics.applied, string(stored.Object.Spec.Cause), string(test.result))
			assert.Equal(t, test.applied, count)
			assert.InDelta(t, float64(test.applied)*60, sum, 0)
		})
	}
}

func TestMetricsCountObjectsOfTheLeader(t *testing.T) {
	failing := false
	store := newTestStore(t, interceptor.Funcs{List: func(ctx context.Context, api client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if failing {
			return errors.New("the cache is not filled")
		}
		return api.List(ctx, list, options...)
	}})
	for name, plan := range map[string]struct {
		cause      infrav1.PlanCause
		disruption infrav1.PlanDisruption
		phase      infrav1.PlanPhase
	}{
		"new":     {infrav1.PlanCauseCreate, infrav1.PlanDisruptionNone, ""},
		"first":   {infrav1.PlanCauseUpdate, infrav1.PlanDisruptionReplace, infrav1.PlanPhaseWaiting},
		"second":  {infrav1.PlanCauseUpdate, infrav1.PlanDisruptionReplace, infrav1.PlanPhaseWaiting},
		"applied": {infrav1.PlanCauseUpdate, infrav1.PlanDisruptionReplace, infrav1.PlanPhaseApplied},
	} {
		object := &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name},
			Spec: infrav1.NutanixPlanSpec{Cause: plan.cause, Disruption: plan.disruption}}
		require.NoError(t, store.Client.Create(t.Context(), object))
		object.Status.Phase = plan.phase
		require.NoError(t, store.Client.Status().Update(t.Context(), object))
	}
	broken := &infrav1.NutanixPlanPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "broken"}}
	conditions.Set(broken, metav1.Condition{Type: infrav1.ReadyCondition, Status: metav1.ConditionFalse, Reason: infrav1.ExpressionInvalidReason})
	require.NoError(t, store.Client.Create(t.Context(), broken))

	elected := make(chan struct{})
	metrics := NewMetrics(store.Reader, elected)
	gauges := []string{"capnt_plans", "capnt_plans_waiting", "capnt_plan_policies"}
	assert.Zero(t, testutil.CollectAndCount(metrics, gauges...), "this process is not the leader")
	close(elected)
	require.NoError(t, testutil.CollectAndCompare(metrics, strings.NewReader(`
# HELP capnt_plan_policies NutanixPlanPolicies by the status of their condition Ready. Policies that are not ready deny plans.
# TYPE capnt_plan_policies gauge
capnt_plan_policies{ready="False"} 1
capnt_plan_policies{ready="True"} 0
capnt_plan_policies{ready="Unknown"} 0
# HELP capnt_plans NutanixPlans that exist, by cause and phase. Old plans in a final phase are removed and not counted.
# TYPE capnt_plans gauge
capnt_plans{cause="Create",phase="Recorded"} 1
capnt_plans{cause="Update",phase="Applied"} 1
capnt_plans{cause="Update",phase="Waiting"} 2
# HELP capnt_plans_waiting NutanixPlans that wait for approvals or for the end of a freeze, by cause and disruption class.
# TYPE capnt_plans_waiting gauge
capnt_plans_waiting{cause="Update",disruption="Replace"} 2
`), gauges...))
	failing = true
	assert.Zero(t, testutil.CollectAndCount(metrics, gauges...))
}
