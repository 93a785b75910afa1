package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// deny creates a policy that denies plans while expression is false.
func (f *fixture) deny(expression string) {
	f.t.Helper()
	require.NoError(f.t, f.plans.Create(f.t.Context(), &infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"},
		Spec:       infrav1.NutanixPlanPolicySpec{Rules: []infrav1.PolicyRule{{Name: "r", Expression: expression, Verdict: infrav1.PolicyVerdictDeny}}},
	}))
}

func TestPolicyThatReadsTheTime_IsEvaluatedEveryMinute(t *testing.T) {
	f := newFixture(t)
	f.deny("now >= timestamp('2026-08-01T12:01:30Z')")
	denied := f.settle()
	require.Equal(t, Denied, denied.State)
	assert.Equal(t, time.Minute, denied.RetryAfter)
	f.advance(denied.RetryAfter)
	denied = f.settle()
	require.Equal(t, Denied, denied.State)
	f.advance(denied.RetryAfter)
	require.Equal(t, InSync, f.settle().State)
	assert.Len(t, f.recordedPlans(), 1)

	f = newFixture(t)
	f.deny("plan.summary == ''")
	assert.Greater(t, f.settle().RetryAfter, time.Minute, "the verdict changes only with an event")
}

func TestPolicyThatReadsTheTime_IsEvaluatedBeforeTheApply(t *testing.T) {
	f := waiting(t)
	f.deny("now < timestamp('2026-08-01T12:01:00Z')")
	f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	release := f.block("state")
	require.Equal(t, Running, f.step().State)
	<-f.entered
	f.advance(time.Minute)
	release()
	f.wait()
	require.Equal(t, Denied, f.settle().State)
	assert.NotContains(t, f.String(), "apply plan")
}

// rules sets the approval rules of the cluster.
func (f *fixture) rules(approval infrav1.TerraformApproval) {
	f.target.Approval.Rules = plan.Merge(infrav1.TerraformApproval{}, approval)
}

func TestEachOfSeveralApprovalsHasAnEvent(t *testing.T) {
	f := waiting(t)
	f.rules(infrav1.TerraformApproval{RequiredApprovals: 4})
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	count := func(event string) int { return strings.Count(f.String(), "  event Normal Decide "+event+"\n") }
	f.decide("d-b", "b", infrav1.PlanVerdictApproved, recorded)
	f.settle()
	f.settle()
	assert.Equal(t, 1, count("WaitingForApproval: NutanixPlan m-1-plan: approved by b, 1 of 4"))
	f.restart()
	f.decide("d-a", "a", infrav1.PlanVerdictApproved, recorded)
	f.decide("d-c", "c", infrav1.PlanVerdictApproved, recorded)
	f.settle()
	assert.Equal(t, 1, count("WaitingForApproval: NutanixPlan m-1-plan: approved by a, 2 of 4"))
	assert.Equal(t, 1, count("WaitingForApproval: NutanixPlan m-1-plan: approved by c, 3 of 4"))
	f.decide("d-d", "d", infrav1.PlanVerdictApproved, recorded)
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, 3, strings.Count(f.String(), "WaitingForApproval: NutanixPlan m-1-plan: approved by"))
	assert.Equal(t, 1, count("Approved: NutanixPlan m-1-plan: approved by a, b, c, d"))
}

func TestApprovalInAFreezeHasAnEvent(t *testing.T) {
	f := waiting(t)
	f.rules(infrav1.TerraformApproval{Freezes: []infrav1.ApprovalFreeze{{ApprovalPeriod: infrav1.ApprovalPeriod{Name: "release",
		Start: &metav1.Time{Time: f.clock.Now()}, End: &metav1.Time{Time: f.clock.Now().Add(time.Hour)}}}}})
	f.decide("d", "admin", infrav1.PlanVerdictApproved, f.onlyPlan(infrav1.PlanPhaseWaiting))
	require.Equal(t, AwaitingDecision, f.settle().State)
	assert.Contains(t, f.String(), "  event Normal Decide WaitingForApproval: NutanixPlan m-1-plan: approved by admin, 1 of 1\n")
	f.advance(time.Hour)
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "  event Normal Decide Approved: NutanixPlan m-1-plan: approved by admin\n")
}

// decideClass creates a decision that approves the class of a plan once.
func (f *fixture) decideClass(about *infrav1.NutanixPlan) *infrav1.NutanixPlanDecision {
	f.t.Helper()
	decision := &infrav1.NutanixPlanDecision{
		ObjectMeta: metav1.ObjectMeta{Name: "class", Namespace: about.Spec.Target.Namespace},
		Spec: infrav1.NutanixPlanDecisionSpec{Verdict: infrav1.PlanVerdictApproved, Classes: []string{about.Spec.ClassDigest}, MaxUses: ptr.To[int32](1),
			DecidedBy: &infrav1.PlanDecider{Username: "admin"}, ExpiresAt: &metav1.Time{Time: f.clock.Now().Add(24 * time.Hour)}},
	}
	require.NoError(f.t, f.plans.Create(f.t.Context(), decision))
	return decision
}

// observePhases returns the phases of plans that are written from now on.
func (f *fixture) observePhases() *[]infrav1.PlanPhase {
	f.t.Helper()
	api, ok := f.plans.(client.WithWatch)
	require.True(f.t, ok)
	var phases []infrav1.PlanPhase
	f.pipeline.Plans.Client = interceptor.NewClient(api, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, api client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
			if recorded, ok := object.(*infrav1.NutanixPlan); ok {
				phases = append(phases, recorded.Status.Phase)
			}
			return api.SubResource(name).Update(ctx, object, options...)
		},
	})
	return &phases
}

// TestPlanIsNeverApproved_IfTheUsesOfTheDecisionAreClaimed lets the cache show a decision before another plan has claimed its only use.
func TestPlanIsNeverApproved_IfTheUsesOfTheDecisionAreClaimed(t *testing.T) {
	f := waiting(t)
	decision := f.decideClass(f.onlyPlan(infrav1.PlanPhaseWaiting))
	decision.Status.Uses = []infrav1.PlanDecisionUse{{Target: "another", Digest: decision.Spec.Classes[0], Plan: "default/another", At: metav1.NewTime(f.clock.Now())}}
	require.NoError(t, f.plans.Status().Update(t.Context(), decision))
	api, ok := f.plans.(client.WithWatch)
	require.True(t, ok)
	f.pipeline.Approvals.Client = interceptor.NewClient(api, interceptor.Funcs{
		List: func(ctx context.Context, api client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			err := api.List(ctx, list, options...)
			if decisions, ok := list.(*infrav1.NutanixPlanDecisionList); ok {
				for i := range decisions.Items {
					decisions.Items[i].Status.Uses = nil
				}
			}
			return err
		},
	})
	phases := f.observePhases()
	require.Equal(t, AwaitingDecision, f.settle().State)
	require.Equal(t, AwaitingDecision, f.settle().State)
	assert.NotContains(t, *phases, infrav1.PlanPhaseApproved)
	assert.NotContains(t, f.String(), "event Normal Decide Approved")
	f.onlyPlan(infrav1.PlanPhaseWaiting)

	decision.Status.Uses = nil
	require.NoError(t, f.plans.Status().Update(t.Context(), decision))
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, []infrav1.PlanPhase{infrav1.PlanPhaseApproved, infrav1.PlanPhaseApplying, infrav1.PlanPhaseApplied}, *phases)
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	assert.Len(t, decision.Status.Uses, 1, "the plan has claimed one use")
}

func TestPlanThatCannotClaimItsDecisionNow_IsNotApproved(t *testing.T) {
	f := waiting(t)
	f.decideClass(f.onlyPlan(infrav1.PlanPhaseWaiting))
	api, ok := f.plans.(client.WithWatch)
	require.True(t, ok)
	f.pipeline.Approvals.Client = interceptor.NewClient(api, interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return errors.New("the API server is away")
		},
	})
	phases := f.observePhases()
	require.Equal(t, Failed, f.settle().State)
	assert.NotContains(t, *phases, infrav1.PlanPhaseApproved)
	assert.NotContains(t, f.String(), "apply plan")
}

func TestUseOfAPlanThatIsNotAppliedIsReleased(t *testing.T) {
	f := waiting(t)
	decision := f.decideClass(f.onlyPlan(infrav1.PlanPhaseWaiting))
	release := f.block("state")
	require.Equal(t, Running, f.step().State)
	<-f.entered
	assert.Nil(t, f.onlyPlan(infrav1.PlanPhaseApproved).Status.ExpirationTime, "it does not wait any more")
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	require.Len(t, decision.Status.Uses, 1, "the use is claimed before the plan is approved")
	f.mu.Lock()
	f.state.Serial++
	f.plan = nil
	f.mu.Unlock()
	release()
	f.wait()
	require.Equal(t, InSync, f.settle().State)
	f.onlyPlan(infrav1.PlanPhaseSuperseded)
	require.NoError(t, f.plans.Get(t.Context(), client.ObjectKeyFromObject(decision), decision))
	assert.Empty(t, decision.Status.Uses)
}

func TestStatusSaysWhenAWaitingPlanExpires(t *testing.T) {
	f := waiting(t)
	recorded := f.onlyPlan(infrav1.PlanPhaseWaiting)
	require.NotNil(t, recorded.Status.ExpirationTime)
	assert.True(t, recorded.Status.ExpirationTime.Time.Equal(f.clock.Now().Add(infrav1.DefaultApprovalMaxAge)))

	f.restart()
	phases := f.observePhases()
	f.advance(time.Minute)
	require.Equal(t, AwaitingDecision, f.settle().State)
	assert.Empty(t, *phases, "the status does not change")
	f.rules(infrav1.TerraformApproval{MaxAge: &metav1.Duration{Duration: time.Hour}})
	require.Equal(t, AwaitingDecision, f.settle().State)
	recorded = f.onlyPlan(infrav1.PlanPhaseWaiting)
	assert.True(t, recorded.Status.ExpirationTime.Time.Equal(f.clock.Now().Add(59*time.Minute)))

	f.decide("d", "admin", infrav1.PlanVerdictApproved, recorded)
	require.Equal(t, InSync, f.settle().State)
	assert.Nil(t, f.onlyPlan(infrav1.PlanPhaseApplied).Status.ExpirationTime)
}

// TestDriftPlanHasTheSameClassAfterAMove compares the plans of an object with its status and of a moved object, which has only annotations.
func TestDriftPlanHasTheSameClassAfterAMove(t *testing.T) {
	plan := func(remembered Remembered) infrav1.NutanixPlanSpec {
		f := newFixture(t)
		f.addResource(machineAddress, "vm-1", false)
		f.target.Remembered = remembered
		f.plan = updated("memory_size_mib")
		f.settle()
		return f.onlyPlan(infrav1.PlanPhaseWaiting).Spec
	}
	applied := func(digest string) Applied { return Applied{WorkspaceDigest: digest, Lineage: "lineage", Serial: 1} }
	before := plan(Remembered{Applied: applied("digest-1"), Unfinished: true, Workspace: "digest-1"})
	assert.Equal(t, infrav1.PlanCauseDrift, before.Cause)
	moved := plan(Remembered{Published: true, Workspace: "digest-1"})
	assert.Equal(t, infrav1.PlanCauseDrift, moved.Cause)
	assert.Equal(t, before.ClassDigest, moved.ClassDigest)
	assert.Equal(t, infrav1.PlanCauseUpdate, plan(Remembered{Published: true, Workspace: "digest-0"}).Cause, "the spec was changed, too")
	assert.Equal(t, infrav1.PlanCauseUpdate, plan(Remembered{Applied: applied("digest-0"), Workspace: "digest-1"}).Cause, "the status is newer")
}
