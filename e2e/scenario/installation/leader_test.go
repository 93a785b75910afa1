package installation

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
)

// electionFlags are the flags of a manager with leader election. The periods are shorter than the defaults, so that another leader soon
// follows.
var electionFlags = []string{
	"--leader-elect", "--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=6s", "--leader-elect-retry-period=1s",
}

// startReplica starts one of two replicas of the manager. Each has a gateway and an audit log of its own.
func (c *cluster) startReplica(second bool) {
	c.t.Helper()
	flags := slices.Clone(electionFlags)
	if second {
		flags = append(flags, "--gateway-address="+testStack.Options().Network.SecondGateway(), "--audit-log-path="+secondAuditLog())
	}
	require.NoError(c.t, testStack.StartManagerWith(c.ctx, flags...))
}

// Two replicas of the manager lead in turn. The first leader is suspended after it has written the record of an apply into its audit log and
// before this record is acknowledged. The second leader applies the plan, and another one that was approved while no leader ran. The late
// write of the first leader is refused. Then the second leader is killed, and the first replica leads again. The audit logs of both are one
// chain, and a change of one byte in either is found.
func TestLeadersWriteOneAuditTrail(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "led", &infrav1.TerraformSpec{
		Approval: &infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways},
	})
	approver, gate := c.approver(), c.newGate()
	require.NoError(t, testStack.Env.StopManager())
	c.startReplica(false)
	t.Cleanup(func() { restartManager(t, func() {}) })
	plan := c.waitForPlan("the plan of the cluster to wait", target("NutanixCluster", c.Name, infrav1.PlanPhaseWaiting))
	c.approve(approver, c.Namespace, "cluster", changeOf(plan))
	c.waitForPhase(plan, infrav1.PlanPhaseApplied)
	plans := map[string]infrav1.NutanixPlan{}
	machines := []string{"led-a", "led-b", "led-c", "led-d"}
	for _, machine := range machines {
		c.createMachine(machine, nil)
	}
	for _, machine := range machines {
		plans[machine] = c.waitForPlan("the creation of "+machine+" to wait", target("NutanixMachine", machine, infrav1.PlanPhaseWaiting))
	}
	decide := func(machine string) { c.approve(approver, c.Namespace, machine, changeOf(plans[machine])) }
	decide("led-a")
	c.waitForPhase(plans["led-a"], infrav1.PlanPhaseApplied)

	gate.hold(headWritten(t, audit.Apply, "led-b"))
	decide("led-b")
	c.waitUntilHeld(gate)
	resume, err := testStack.Env.SuspendManager(c.ctx)
	require.NoError(t, err)
	c.startReplica(true)
	decide("led-c")
	c.waitForPhase(plans["led-b"], infrav1.PlanPhaseApplied)
	c.waitForPhase(plans["led-c"], infrav1.PlanPhaseApplied)
	gate.allow()
	require.NoError(t, resume(c.ctx))
	assert.Contains(t, requireAuditVerified(t), "not acknowledged: "+auditLog()+":")

	gate.hold(phaseWritten("led-d", infrav1.PlanPhaseApplying))
	decide("led-d")
	c.waitUntilHeld(gate)
	require.NoError(t, testStack.Env.KillManager())
	gate.refuse()
	c.startReplica(false)
	c.waitForPhase(plans["led-d"], infrav1.PlanPhaseApplied)
	c.requireLedBy(plans)
	c.requireChangesOfAuditLogsAreFound()
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"approval":null}}}`)
	c.deleteCluster()
	assert.Empty(t, c.vms())
	requireAuditVerified(t)
}

// requireLedBy requires that each plan was applied once, and that three leaders have applied them.
func (c *cluster) requireLedBy(plans map[string]infrav1.NutanixPlan) {
	c.t.Helper()
	terms := map[string]bool{}
	for machine, plan := range plans {
		assert.Len(c.t, acceptedCreates(machine), 1, machine)
		results := auditOf(c.t, audit.Result, plan, auditLogs()...)
		require.Len(c.t, results, 1, machine)
		assert.Equal(c.t, string(infrav1.PlanPhaseApplied), results[0].Verdict, machine)
		terms[results[0].Term] = true
		decision := newDecision(c.Namespace, machine, changeOf(plan))
		assert.Len(c.t, c.usesOf(decision), 1, machine)
	}
	assert.Len(c.t, terms, 3)
}

// requireChangesOfAuditLogsAreFound changes one bit of a record in a copy of each audit log. It requires that the verification names the
// record.
func (c *cluster) requireChangesOfAuditLogsAreFound() {
	c.t.Helper()
	requireAuditVerified(c.t)
	for changed, path := range auditLogs() {
		content, err := os.ReadFile(path)
		require.NoError(c.t, err)
		lines := bytes.SplitAfter(content[:bytes.LastIndexByte(content, '\n')+1], []byte("\n"))
		number := len(lines) / 2
		line := lines[number-1]
		line[len(line)/2] ^= 1
		files := auditLogs()
		files[changed] = filepath.Join(c.t.TempDir(), "changed.log")
		require.NoError(c.t, os.WriteFile(files[changed], bytes.Join(lines, nil), 0o600))
		output, code := verifyAudit(c.t, files...)
		assert.Equal(c.t, 1, code, output)
		assert.Contains(c.t, output, "was altered")
		assert.Contains(c.t, output, fmt.Sprintf("line %d of %s", number, files[changed]))
	}
}
