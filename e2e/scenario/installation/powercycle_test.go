package installation

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// The manager is killed, or Prism Central fails, while an approved update has switched a VM off. The update is finished, which switches the VM
// on again, and needs no further decision. A VM that somebody else has switched off stays off.
func TestInterruptedPowerCycleIsFinished(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "cycled", &infrav1.TerraformSpec{Drift: checkedOften})
	approver := c.approver()
	c.createMachine("cycled-a", nil)
	uuid := c.waitForReady("cycled-a", "").UUID

	c.addMemory(uuid)
	first := c.waitForDrift("cycled-a")
	ended := c.failSecondUpdate(uuid, prismsim.Fault{Delay: patience})
	decision := c.approve(approver, c.Namespace, "cycled", changeOf(first))
	c.waitForPower(uuid, "OFF")
	assert.Equal(t, uuid, c.machine("cycled-a").Annotations[infrav1.PowerCycleAnnotation])
	restartManager(t, ended) // the second update never reaches Prism Central
	failed := c.waitForPhase(first, infrav1.PlanPhaseFailed)
	assert.Contains(t, failed.Status.Message, "the manager ended while it applied the plan")
	c.requireReverted(uuid, first, "cycled")
	require.Len(t, c.usesOf(decision), 1, "the rest of the change needs no further decision")

	c.addMemory(uuid)
	second := c.waitForDrift("cycled-a")
	ended = c.failSecondUpdate(uuid, prismsim.Fault{Status: http.StatusServiceUnavailable})
	c.approve(approver, c.Namespace, "cycled-again", changeOf(second))
	c.waitForPhase(second, infrav1.PlanPhaseFailed)
	c.waitForCondition("cycled-a", infrav1.VMPoweredOnCondition, metav1.ConditionFalse, infrav1.VMPoweredOffReason)
	ended()
	c.requireReverted(uuid, first, "cycled-again")

	updates := len(putsOf(uuid)) // from here on the VM is off because somebody else has switched it off
	require.NoError(t, testStack.Prism.PowerOff(uuid))
	c.waitForCondition("cycled-a", infrav1.VMPoweredOnCondition, metav1.ConditionFalse, infrav1.VMPoweredOffReason)
	c.editCategory("cycled-a", "Staging")
	c.waitForCondition("cycled-a", infrav1.ReadyCondition, metav1.ConditionFalse, infrav1.VMPoweredOffReason)
	assert.Equal(t, "OFF", c.powerOf(uuid))
	assert.Len(t, putsOf(uuid), updates)
	c.deleteCluster()
	assert.Empty(t, c.vms())
	c.requireNoPlanFiles()
}

// failSecondUpdate applies a fault to the second request that updates a VM. The first one switches the VM off.
func (c *cluster) failSecondUpdate(uuid string, fault prismsim.Fault) (end func()) {
	c.t.Helper()
	fault.Method, fault.Path, fault.Skip = http.MethodPut, "/vms/"+uuid+"$", 1
	id, err := testStack.Prism.Faults().Set(fault)
	require.NoError(c.t, err)
	end = func() { testStack.Prism.Faults().Clear(id) }
	c.t.Cleanup(end)
	return end
}

func (c *cluster) powerOf(uuid string) string {
	c.t.Helper()
	for _, vm := range testStack.Prism.VMs() {
		if vm.UUID == uuid {
			return vm.PowerState
		}
	}
	return ""
}

func (c *cluster) waitForPower(uuid, state string) {
	c.t.Helper()
	c.waitFor("VM "+uuid+" to be "+state, func() (bool, string) { return c.powerOf(uuid) == state, c.powerOf(uuid) })
}

// requireReverted waits until the change of an interrupted plan is applied by another plan with the same decision.
func (c *cluster) requireReverted(uuid string, interrupted infrav1.NutanixPlan, decision string) {
	c.t.Helper()
	finished := c.waitForPlan("the change to be applied", func(plan infrav1.NutanixPlan) bool {
		return plan.Status.Phase == infrav1.PlanPhaseApplied && plan.Spec.ChangeDigest == interrupted.Spec.ChangeDigest &&
			len(plan.Status.Decisions) == 1 && plan.Status.Decisions[0] == decision
	})
	assert.Equal(c.t, infrav1.PlanDisruptionPowerCycle, finished.Spec.Disruption)
	c.waitForCondition(finished.Spec.Target.Name, infrav1.ReadyCondition, metav1.ConditionTrue, "")
	assert.Equal(c.t, "ON", c.powerOf(uuid))
	assert.EqualValues(c.t, 4096, vmsOf(finished.Spec.Target.Name)[0].MemoryMiB)
	assert.NotContains(c.t, c.machine(finished.Spec.Target.Name).Annotations, infrav1.PowerCycleAnnotation)
}
