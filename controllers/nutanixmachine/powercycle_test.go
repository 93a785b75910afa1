package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
)

// newObserver returns the observer of a run for the machine as it is in the API server.
func newObserver(e *testEnvironment) observer {
	e.T.Helper()
	require.False(e.T, e.Gone(e.NutanixMachine))
	return observer{client: e.scope().access.Client, machine: e.NutanixMachine.DeepCopy(), recorded: e.reconciler.recorded(e.NutanixMachine)}
}

// TestPowerCycleIsRecorded checks that a VM counts as switched off by an interrupted apply from the record until the VM is on again, also if
// the machine of a run is older than the record.
func TestPowerCycleIsRecorded(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	uuid := e.NutanixMachine.Status.VMUUID
	power := func(state string) { e.changeVM(func(vm *controllertest.VM) { vm.PowerState = state }) }
	observe := func(o observer) lifecycle.Observation {
		seen, err := o.observe(t.Context(), uuid)
		require.NoError(t, err)
		return seen
	}
	before := newObserver(e)
	power("OFF")
	assert.NotNil(t, observe(before).NoPlan, "somebody else has switched it off")

	require.NoError(t, newObserver(e).powerCycle(t.Context(), uuid))
	for _, o := range []observer{before, newObserver(e)} {
		assert.NotNil(t, observe(o).Interrupted)
		assert.Nil(t, observe(o).NoPlan)
	}
	power("PAUSED")
	assert.NotNil(t, observe(newObserver(e)).NoPlan, "an apply does not pause it")

	power("ON")
	assert.Equal(t, lifecycle.Observation{Found: true, Digest: observe(before).Digest}, observe(newObserver(e)))
	power("OFF")
	assert.NotNil(t, observe(newObserver(e)).NoPlan, "the record ends when the VM is on")
}

// TestInterruptedPowerCycleIsPlannedAfterRestart checks that the annotation alone lets the next manager plan, and that the condition says what
// happens.
func TestInterruptedPowerCycleIsPlannedAfterRestart(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	require.NoError(t, newObserver(e).powerCycle(t.Context(), e.NutanixMachine.Status.VMUUID))
	e.reconciler.Pipeline.Init()
	e.settle()
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.VMPoweredOnCondition), "was interrupted")
	assert.Equal(t, "OFF", e.Prism.VMs()[0].PowerState)
}
