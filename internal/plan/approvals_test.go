package plan

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/provider"
)

// Nothing can be created in a namespace that is being deleted. A plan for an object in it is in the namespace of the manager, and so are
// the decisions about it.
func TestDecisionsAreInNamespaceOfPlan(t *testing.T) {
	const target, managers = "prod", "capnt-system"
	tests := map[string]struct {
		plan, decision string
		want           Decision
	}{
		"plan and decision in namespace of target":  {plan: target, decision: target, want: Approved},
		"plan and decision in namespace of manager": {plan: managers, decision: managers, want: Approved},
		"decision in namespace of target":           {plan: managers, decision: target, want: Waiting},
		"decision in namespace of manager":          {plan: target, decision: managers, want: Waiting},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			require.NoError(t, infrav1.AddToScheme(scheme))
			require.NoError(t, corev1.AddToScheme(scheme))
			decision := &infrav1.NutanixPlanDecision{
				ObjectMeta: metav1.ObjectMeta{Namespace: test.decision, Name: "yes"},
				Spec: infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Changes: []string{"sha256:change"},
					ExpiresAt: &metav1.Time{Time: time.Now().Add(24 * time.Hour)}, DecidedBy: &infrav1.PlanDecider{Username: "approver"}},
			}
			api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(decision).WithObjects(decision).Build()
			approvals := &Approvals{Client: api, Reader: api, Namespace: managers, Clock: clocktesting.NewFakePassiveClock(time.Now())}
			stored := Stored{
				Record: Record{Disruption: provider.Destroy, ChangeDigest: "sha256:change", Target: infrav1.PlanTarget{Namespace: target, Key: "key"}},
				Object: &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: test.plan, Name: "plan"}},
			}
			verdict, err := approvals.Claim(t.Context(), stored, Context{})
			require.NoError(t, err)
			require.Equal(t, test.want, verdict.Decision, verdict.Reason)
			stored.Object.Status.Decisions = verdict.Names()
			require.NoError(t, approvals.Complete(t.Context(), stored))
			require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
			if test.want != Approved {
				assert.Empty(t, decision.Status.Uses)
				return
			}
			require.Len(t, decision.Status.Uses, 1)
			assert.Equal(t, test.plan+"/plan", decision.Status.Uses[0].Plan)
			assert.NotNil(t, decision.Status.Uses[0].AppliedTime)
		})
	}
}

// The namespace controller may delete a policy before it deletes the object whose plan the policy lets wait.
func TestOnlyDestructionIsApproved_WhileTheNamespaceIsDeleted(t *testing.T) {
	namespace := func(deleted bool) *corev1.Namespace {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "prod"}}
		if deleted {
			object.DeletionTimestamp, object.Finalizers = &metav1.Time{Time: time.Now()}, []string{"kubernetes"}
		}
		return object
	}
	for name, test := range map[string]struct {
		namespaceDeleted, deleting bool
		want                       Decision
	}{
		"the namespace stays":              {want: Approved},
		"the namespace is deleted":         {namespaceDeleted: true, want: Waiting},
		"the namespace and the object are": {namespaceDeleted: true, deleting: true, want: Approved},
		"the object is deleted":            {deleting: true, want: Approved},
	} {
		t.Run(name, func(t *testing.T) {
			api := policyClient(t, namespace(test.namespaceDeleted))
			approvals := &Approvals{Client: policyClient(t), Reader: api, Namespace: "capnt-system", Clock: clocktesting.NewFakePassiveClock(time.Now())}
			stored := Stored{Record: Record{Target: infrav1.PlanTarget{Namespace: "prod", Key: "key"}},
				Object: &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "plan"}}}
			for _, decide := range []func(context.Context, Stored, Context) (Verdict, error){approvals.Decide, approvals.Claim} {
				verdict, err := decide(t.Context(), stored, Context{Deleting: test.deleting})
				require.NoError(t, err)
				assert.Equal(t, test.want, verdict.Decision, verdict.Reason)
			}
		})
	}
}

func TestReleaseRemovesOnlyTheUseOfThePlan(t *testing.T) {
	digest := decision("d", "bob", nil).Spec.Changes[0]
	use := func(target, plan string) infrav1.PlanDecisionUse {
		return infrav1.PlanDecisionUse{Target: target, Digest: digest, Plan: plan}
	}
	for name, test := range map[string]struct {
		uses []infrav1.PlanDecisionUse
		left string
	}{
		"of the plan and of another target":     {[]infrav1.PlanDecisionUse{use("another", "prod/another"), use("key", "prod/plan")}, "prod/another"},
		"of an earlier plan whose apply failed": {[]infrav1.PlanDecisionUse{use("key", "prod/earlier")}, "prod/earlier"},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			require.NoError(t, infrav1.AddToScheme(scheme))
			require.NoError(t, corev1.AddToScheme(scheme))
			used := decision("d", "bob", func(d *infrav1.NutanixPlanDecision) { d.Namespace, d.Status.Uses = "prod", test.uses })
			api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&used).WithObjects(&used).Build()
			approvals := &Approvals{Client: api, Reader: api, Clock: clocktesting.NewFakePassiveClock(decisionTime)}
			stored := Stored{
				Record: Record{ChangeDigest: digest, Target: infrav1.PlanTarget{Namespace: "prod", Key: "key"}},
				Object: &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "plan"},
					Status: infrav1.NutanixPlanStatus{Decisions: []string{"d", "deleted"}}},
			}
			require.NoError(t, approvals.Release(t.Context(), stored))
			require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(&used), &used))
			require.Len(t, used.Status.Uses, 1)
			assert.Equal(t, test.left, used.Status.Uses[0].Plan)
		})
	}
}

func TestVerdictIsPublishedAgain_IfItsReasonChanges(t *testing.T) {
	stored := Stored{Object: &infrav1.NutanixPlan{Status: infrav1.NutanixPlanStatus{Phase: infrav1.PlanPhaseDenied, Message: "policy a: no"}}}
	assert.True(t, stored.Published(infrav1.PlanPhaseDenied, Verdict{Decision: Denied, Reason: "policy a: no"}))
	assert.False(t, stored.Published(infrav1.PlanPhaseDenied, Verdict{Decision: Denied, Reason: "policy b: no"}))
}

// TestClaimReadsTheRulesOfTheClusterAgain adds a freeze or a stricter mode while the apply of a plan waits in the queue.
func TestClaimReadsTheRulesOfTheClusterAgain(t *testing.T) {
	freeze := infrav1.ApprovalFreeze{ApprovalPeriod: infrav1.ApprovalPeriod{Name: "incident",
		Start: &metav1.Time{Time: decisionTime.Add(-time.Minute)}, End: &metav1.Time{Time: decisionTime.Add(time.Hour)}}}
	for name, tc := range map[string]struct {
		floor, cluster infrav1.TerraformApproval
		deleted        bool
		want           Decision
	}{
		"unchanged":              {want: Approved},
		"a freeze":               {cluster: infrav1.TerraformApproval{Freezes: []infrav1.ApprovalFreeze{freeze}}, want: Waiting},
		"a stricter mode":        {cluster: infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways}, want: Waiting},
		"the floor remains":      {floor: infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways}, want: Waiting},
		"the cluster is deleted": {deleted: true, want: Approved},
	} {
		t.Run(name, func(t *testing.T) {
			before := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "c"}}
			present := before.DeepCopy()
			present.Spec.Terraform = &infrav1.TerraformSpec{Approval: &tc.cluster}
			live := policyClient(t, present)
			if tc.deleted {
				live = policyClient(t)
			}
			approvals := &Approvals{Client: policyClient(t), Reader: live, Floor: tc.floor, Clock: clocktesting.NewFakePassiveClock(decisionTime)}
			stored := Stored{Record: Record{Target: infrav1.PlanTarget{Namespace: "prod", Key: "key"}},
				Object: &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "plan"}}}
			verdict, err := approvals.Claim(t.Context(), stored, Context{Rules: ClusterRules(infrav1.TerraformApproval{}, before), Cluster: before})
			require.NoError(t, err)
			assert.Equal(t, tc.want, verdict.Decision, verdict.Reason)
		})
	}
}

// TestClaimUsesADecisionOncePerTargetAndApply claims a decision for a class with two uses. Planning again uses nothing, another apply and
// another target do.
func TestClaimUsesADecisionOncePerTargetAndApply(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	classes := decision("d", "bob", func(d *infrav1.NutanixPlanDecision) {
		d.Namespace, d.Spec.Changes, d.Spec.Classes, d.Spec.MaxUses = "prod", nil, []string{"sha256:class"}, ptr.To[int32](3)
	})
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&classes).WithObjects(&classes).Build()
	clock := clocktesting.NewFakePassiveClock(decisionTime)
	approvals := &Approvals{Client: api, Reader: api, Clock: clock}
	stored := func(target, name string) Stored {
		return Stored{
			Record: Record{Disruption: provider.Destroy, ClassDigest: "sha256:class", Target: infrav1.PlanTarget{Namespace: "prod", Key: target}},
			Object: &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name},
				Status: infrav1.NutanixPlanStatus{Decisions: []string{"d"}}},
		}
	}
	claim := func(target, name string, want Decision) []infrav1.PlanDecisionUse {
		t.Helper()
		verdict, err := approvals.Claim(t.Context(), stored(target, name), Context{})
		require.NoError(t, err)
		require.Equal(t, want, verdict.Decision, verdict.Reason)
		require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(&classes), &classes))
		return classes.Status.Uses
	}
	require.Len(t, claim("a", "a-1", Approved), 1)
	require.Len(t, claim("a", "a-2", Approved), 1, "it is planned again")
	require.Len(t, claim("b", "b-1", Approved), 2, "another target")
	require.NoError(t, approvals.Complete(t.Context(), stored("a", "a-2")))
	uses := claim("a", "a-3", Approved)
	require.Len(t, uses, 3, "the same change is applied again")
	clock.SetTime(decisionTime.Add(time.Minute))
	require.NoError(t, approvals.Complete(t.Context(), stored("a", "a-3")))
	uses = claim("c", "c-1", Waiting)
	require.Len(t, uses, 3)
	assert.True(t, uses[0].AppliedTime.Time.Equal(decisionTime))
	assert.Nil(t, uses[1].AppliedTime, "the other target has not been applied")
	assert.True(t, uses[2].AppliedTime.Time.Equal(decisionTime.Add(time.Minute)))
}
