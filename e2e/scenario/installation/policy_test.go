package installation

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Policies deny plans and let plans wait that would otherwise be applied at once. A policy whose expression fails denies, too. A decision
// that exists before its plan lets the plan through without waiting. A freeze in the middle of a rollout lets the running apply end and
// delays the others until the freeze ends.
func TestPoliciesDecisionsAndFreezesDecide(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "ruled", nil)
	approver := c.approver()
	broken := c.createPolicy("broken", infrav1.PolicyVerdictWarn, "plan.changes[1000].address != ''")
	c.createMachine("ruled-a", nil)
	denied := c.waitForPlan("the broken policy to deny", target("NutanixMachine", "ruled-a", infrav1.PlanPhaseDenied))
	c.waitForCondition("ruled-a", infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.DeniedReason)
	assert.Contains(t, denied.Status.Message, "broken")
	limit := c.createPolicy("limit", infrav1.PolicyVerdictDeny, "plan.cause != 'Create' || machineCount < 1")
	decision := c.approve(approver, c.Namespace, "too-late", changeOf(denied))
	c.delete(broken)
	c.waitFor("the other policy to deny", func() (bool, string) {
		message := c.waitForPhase(denied, infrav1.PlanPhaseDenied).Status.Message
		return strings.Contains(message, "limit") && !strings.Contains(message, "broken"), message
	})
	assert.Empty(t, c.vms())
	c.delete(limit)
	c.waitForPhase(denied, infrav1.PlanPhaseApplied)
	assert.Empty(t, c.usesOf(decision), "the plan needed no decision")
	c.waitForReady("ruled-a", "")

	edits := c.createPolicy("edits", infrav1.PolicyVerdictRequireApproval, "plan.cause != 'Update'")
	c.editCategory("ruled-a", "Staging")
	waiting := c.waitForPlan("the edit to wait", target("NutanixMachine", "ruled-a", infrav1.PlanPhaseWaiting))
	assert.Contains(t, strings.Join(waiting.Status.WaitingFor, "; "), "policy ruled/edits")
	c.patch(&infrav1.NutanixMachine{}, "ruled-a", `{"spec":{"additionalCategories":null}}`)
	c.waitForPhase(waiting, infrav1.PlanPhaseSuperseded)
	c.approve(approver, c.Namespace, "early", changeOf(waiting))
	c.editCategory("ruled-a", "Staging")
	edit := c.waitForPlan("the edit to be applied", target("NutanixMachine", "ruled-a", infrav1.PlanPhaseApplied).but(denied))
	assert.Equal(t, waiting.Spec.ChangeDigest, edit.Spec.ChangeDigest)
	assert.Equal(t, []string{"early"}, edit.Status.Decisions)
	c.waitForReady("ruled-a", "Staging")
	c.delete(edits)

	c.freezeDuringRollout()
	c.deleteCluster()
	assert.Empty(t, c.vms())
	c.requireNoPlanFiles()
}

// freezeDuringRollout edits two machines. The freeze begins while the edit of the first machine is applied.
func (c *cluster) freezeDuringRollout() {
	c.t.Helper()
	c.createMachine("ruled-b", nil)
	c.waitForReady("ruled-b", "")
	release := c.hold(prismsim.Fault{Method: http.MethodPut, Path: "/vms/"})
	c.editCategory("ruled-a", "Testing")
	c.waitForHeldRequest()
	running := c.waitForPlan("the first edit to be applied", target("NutanixMachine", "ruled-a", infrav1.PlanPhaseApplying))
	begin := time.Now().Add(-time.Minute)
	c.freeze(begin, begin.Add(time.Hour))
	c.editCategory("ruled-b", "Testing")
	release()
	c.waitForPhase(running, infrav1.PlanPhaseApplied)
	frozen := c.waitForPlan("the second edit to wait", target("NutanixMachine", "ruled-b", infrav1.PlanPhaseWaiting))
	assert.Contains(c.t, strings.Join(frozen.Status.WaitingFor, "; "), "year-end")
	assert.Empty(c.t, vmsOf("ruled-b")[0].Categories["Environment"])
	end := time.Now().Add(5 * time.Second).Truncate(time.Second)
	c.freeze(begin, end)
	applied := c.waitForPhase(frozen, infrav1.PlanPhaseApplied)
	assert.False(c.t, applied.Status.FinishedTime.Time.Before(end), "applied at %s", applied.Status.FinishedTime)
	c.waitForReady("ruled-b", "Testing")
}

// freeze sets the only freeze of the cluster.
func (c *cluster) freeze(begin, end time.Time) {
	c.t.Helper()
	content, err := json.Marshal([]infrav1.ApprovalFreeze{{
		ApprovalPeriod: infrav1.ApprovalPeriod{Name: "year-end", Start: &metav1.Time{Time: begin}, End: &metav1.Time{Time: end}},
		By:             "operations", Reason: "no changes at the end of the year",
	}})
	require.NoError(c.t, err)
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"approval":{"freezes":`+string(content)+`}}}}`)
}

// createPolicy creates a policy with one rule for the machines of the cluster.
func (c *cluster) createPolicy(name string, verdict infrav1.PolicyVerdict, expression string) *infrav1.NutanixPlanPolicy {
	c.t.Helper()
	policy := &infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name},
		Spec: infrav1.NutanixPlanPolicySpec{
			Match: infrav1.PolicyMatch{Kinds: []string{"NutanixMachine"}},
			Rules: []infrav1.PolicyRule{{Name: "rule", Expression: expression, Verdict: verdict}},
		},
	}
	c.create(policy)
	return policy
}
