package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// policyClient returns a client of an API server without Namespaces, as the cache of the manager is.
func policyClient(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&infrav1.NutanixPlanPolicy{}).Build()
}

func policyWith(namespace, expression string) *infrav1.NutanixPlanPolicy {
	return &infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "p", Generation: 1},
		Spec: infrav1.NutanixPlanPolicySpec{Rules: []infrav1.PolicyRule{{
			Name: "r", Expression: expression, Verdict: infrav1.PolicyVerdictDeny, Message: "no",
		}}},
	}
}

// TestPoliciesAreEvaluatedWithTheObjectsOfThePlan checks the variables that the manager supplies, and which policies apply.
func TestPoliciesAreEvaluatedWithTheObjectsOfThePlan(t *testing.T) {
	machine := &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{
		Namespace: "prod", Name: "m", Labels: map[string]string{clusterv1.ClusterNameLabel: "c"},
	}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod", Labels: map[string]string{"env": "production"}}}
	spec := infrav1.NutanixPlanSpec{
		Target: infrav1.PlanTarget{Kind: "NutanixMachine", Namespace: "prod", Name: "m"},
		Origin: infrav1.PlanOrigin{Cluster: "c"}, Cause: infrav1.PlanCauseCreate, Disruption: infrav1.PlanDisruptionNone,
	}
	stored := Stored{Record: FromSpec(spec), Object: &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "plan"}, Spec: spec}}
	const everything = "namespaceObject.metadata.labels['env'] == 'production' && machineCount == 1 && machine.metadata.name == 'm' && " +
		"cluster == null && plan.metadata.name == 'plan' && now == timestamp('2026-12-02T11:00:00Z')"
	for name, tc := range map[string]struct {
		policy *infrav1.NutanixPlanPolicy
		want   []string
		reason string
	}{
		"satisfied":                   {policyWith("prod", everything), nil, ""},
		"denied":                      {policyWith("prod", "false"), []string{"no"}, ""},
		"of the manager":              {policyWith("capnt-system", "false"), []string{"no"}, ""},
		"of another namespace":        {policyWith("test", "false"), nil, ""},
		"that cannot be evaluated":    {policyWith("prod", "cluster.metadata.name == 'c'"), []string{"rule r of policy prod/p cannot be evaluated"}, infrav1.EvaluationFailedReason},
		"of the manager, broken type": {policyWith("capnt-system", "plan.causes == ''"), []string{"rule r of policy capnt-system/p cannot be evaluated"}, infrav1.EvaluationFailedReason},
	} {
		t.Run(name, func(t *testing.T) {
			cached, live := policyClient(t, machine, tc.policy), policyClient(t, namespace, tc.policy.DeepCopy())
			approvals := &Approvals{Client: cached, Reader: live, Namespace: "capnt-system",
				Clock: clocktesting.NewFakePassiveClock(time.Date(2026, 12, 2, 11, 0, 0, 0, time.UTC))}
			findings, err := approvals.findings(t.Context(), cached, stored, Context{Machine: machine})
			require.NoError(t, err)
			require.Len(t, findings, len(tc.want))
			for i := range tc.want {
				assert.Contains(t, findings[i].Message, tc.want[i])
			}
			policy := &infrav1.NutanixPlanPolicy{}
			require.NoError(t, cached.Get(t.Context(), client.ObjectKeyFromObject(tc.policy), policy))
			assert.Equal(t, tc.reason, conditions.GetReason(policy, infrav1.ReadyCondition))
		})
	}
}

// TestPoliciesAreReadPastTheCacheBeforeAnApply checks that a policy that the cache does not contain yet denies the plan.
func TestPoliciesAreReadPastTheCacheBeforeAnApply(t *testing.T) {
	spec := infrav1.NutanixPlanSpec{
		Target: infrav1.PlanTarget{Kind: "NutanixMachine", Namespace: "prod", Name: "m"}, Cause: infrav1.PlanCauseCreate,
		Disruption: infrav1.PlanDisruptionNone,
	}
	stored := Stored{Record: FromSpec(spec), Object: &infrav1.NutanixPlan{Spec: spec}}
	approvals := &Approvals{Client: policyClient(t), Reader: policyClient(t, policyWith("prod", "false")), Namespace: "capnt-system",
		Clock: clocktesting.NewFakePassiveClock(time.Now())}
	about := Context{Rules: Rules{Mode: infrav1.ApprovalModeDisruptive}}
	verdict, err := approvals.Decide(t.Context(), stored, about)
	require.NoError(t, err)
	assert.Equal(t, Approved, verdict.Decision)
	verdict, err = approvals.Claim(t.Context(), stored, about)
	require.NoError(t, err)
	assert.Equal(t, Denied, verdict.Decision)
}
