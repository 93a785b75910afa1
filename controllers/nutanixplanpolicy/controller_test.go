package nutanixplanpolicy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/nutanixplanpolicy"
	"github.com/capnt/capnt/internal/policy"
)

func newClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&infrav1.NutanixPlanPolicy{}).Build()
}

func newPolicy(expression string) *infrav1.NutanixPlanPolicy {
	return &infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Generation: 1},
		Spec: infrav1.NutanixPlanPolicySpec{Rules: []infrav1.PolicyRule{{
			Name: "r", Expression: expression, Verdict: infrav1.PolicyVerdictWarn,
		}}},
	}
}

// reconciled reconciles the policy of the test and returns its Ready condition.
func reconciled(t *testing.T, api client.Client) *metav1.Condition {
	t.Helper()
	key := client.ObjectKey{Namespace: "ns", Name: "p"}
	result, err := (&nutanixplanpolicy.Reconciler{Client: api}).Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	require.NoError(t, err)
	assert.Zero(t, result)
	stored := &infrav1.NutanixPlanPolicy{}
	require.NoError(t, api.Get(t.Context(), key, stored))
	return conditions.Get(stored, infrav1.ReadyCondition)
}

func TestReadyReportsWhetherExpressionsCompile(t *testing.T) {
	ready := reconciled(t, newClient(t, newPolicy("plan.cause == 'Create'")))
	assert.Equal(t, metav1.ConditionTrue, ready.Status)
	assert.Equal(t, infrav1.ExpressionsValidReason, ready.Reason)
	assert.Equal(t, int64(1), ready.ObservedGeneration)

	ready = reconciled(t, newClient(t, newPolicy("plan.causes == 'Create'")))
	assert.Equal(t, metav1.ConditionFalse, ready.Status)
	assert.Equal(t, infrav1.ExpressionInvalidReason, ready.Reason)
	assert.Equal(t, "the policy denies all plans that it matches: spec.rules[0].expression: Invalid value: \"plan.causes == 'Create'\": "+
		"rule r: line 1, column 5: undefined field 'causes'", ready.Message)
}

// TestFailedEvaluationIsShownUntilThePolicyChanges checks that a reconcile, for example after a restart, keeps the condition.
func TestFailedEvaluationIsShownUntilThePolicyChanges(t *testing.T) {
	api := newClient(t, newPolicy("plan.changes[0].address != ''"))
	require.Equal(t, infrav1.ExpressionsValidReason, reconciled(t, api).Reason)
	stored := &infrav1.NutanixPlanPolicy{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p"}, stored))
	other := *newPolicy("true")
	other.Name = "other"
	policies := []infrav1.NutanixPlanPolicy{other, *stored}
	plan := &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "empty"}}
	require.NoError(t, policy.Report(t.Context(), api, plan, policies, policy.Evaluate(policies, policy.Input{Plan: plan})))

	for range 2 {
		ready := reconciled(t, api)
		assert.Equal(t, metav1.ConditionFalse, ready.Status)
		assert.Equal(t, infrav1.EvaluationFailedReason, ready.Reason)
		assert.Contains(t, ready.Message, "NutanixPlan ns/empty: rule r of policy ns/p cannot be evaluated and therefore denies the plan: index out of bounds")
	}
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(stored), stored))
	stored.Generation = 2
	require.NoError(t, api.Update(t.Context(), stored))
	ready := reconciled(t, api)
	assert.Equal(t, infrav1.ExpressionsValidReason, ready.Reason)
	assert.Equal(t, int64(2), ready.ObservedGeneration)
}

func TestDeletedPolicyIsIgnored(t *testing.T) {
	_, err := (&nutanixplanpolicy.Reconciler{Client: newClient(t)}).Reconcile(t.Context(),
		ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "gone"}})
	require.NoError(t, err)
}
