package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
