package nutanixmachine

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/providerid"
	"github.com/capnt/capnt/internal/state"
)

// pass moves the clock forward in steps of 20 seconds and reconciles at each step.
func (e *testEnvironment) pass(duration time.Duration) {
	e.T.Helper()
	for ; duration > 0; duration -= 20 * time.Second {
		e.Advance(min(duration, 20*time.Second))
		e.settle()
	}
}

// restart replaces the reconciler by a new one with empty memory, as a restart of the manager does.
func (e *testEnvironment) restart() {
	e.reconciler.Pipeline.States = &state.Store{Client: api, Reader: api}
	e.reconciler.Pipeline.Init()
	e.reconciler.absences = absences{}
}

func (e *testEnvironment) count(event string) int {
	return strings.Count(strings.Join(reasons(e.Recorder.All()), "; "), event)
}

func TestLostVM(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.running()
	vm := e.vm()
	e.Prism.Remove(vm.UUID)
	result := e.settle()
	assert.Positive(t, result.RequeueAfter, "it is searched for again")
	e.RequireFalse(e.NutanixMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason)
	assert.True(t, e.NutanixMachine.Status.Ready, "it may come back: %+v", e.NutanixMachine.Status.Conditions)
	e.pass(3*time.Minute - 20*time.Second)
	assert.True(t, e.NutanixMachine.Status.Ready)
	e.pass(20 * time.Second)
	e.requireFalse(infrav1.AppliedCondition, infrav1.VMLostReason)
	assert.Equal(t, infrav1.VMLostReason, conditions.GetReason(e.NutanixMachine, infrav1.ReadyCondition))
	assert.Nil(t, e.NutanixMachine.Status.FailureReason, "Cluster API never clears a failure that it has copied")
	assert.NotEmpty(t, e.NutanixMachine.Status.Addresses)

	e.restart()
	e.settle()
	e.requireFalse(infrav1.AppliedCondition, infrav1.VMLostReason)
	e.pass(10 * time.Minute)
	assert.Empty(t, e.Terraform.Runs(), "it is not created again")
	assert.Equal(t, 1, e.count("Warning VMLost"))

	e.Prism.Put(vm)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "the condition is withdrawn: %+v", e.NutanixMachine.Status.Conditions)
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
}

// vm returns the VM of the machine.
func (e *testEnvironment) vm() controllertest.VM {
	e.T.Helper()
	for _, vm := range e.Prism.VMs() {
		if vm.UUID == e.NutanixMachine.Status.VMUUID {
			return vm
		}
	}
	require.Fail(e.T, "the machine has no VM")
	return controllertest.VM{}
}

// A VM that is found before its absence is confirmed is not reported as lost.
func TestVMThatReturnsInTimeIsNotLost(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.running()
	vm := e.vm()
	for range 3 {
		e.Prism.Remove(vm.UUID)
		e.pass(2 * time.Minute)
		e.RequireFalse(e.NutanixMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason)
		e.Prism.Put(vm)
		e.settle()
		require.True(t, conditions.IsTrue(e.NutanixMachine, infrav1.InputsResolvedCondition))
		assert.True(t, e.NutanixMachine.Status.Ready)
	}
	assert.Zero(t, e.count("Warning VMLost"))
}

// If an account loses permissions, Prism Central shows it fewer VMs. The hidden VMs must not be reported as lost.
func TestReducedRightsLoseNoVM(t *testing.T) {
	tests := map[string]func(e *testEnvironment){
		"no VM is shown": func(e *testEnvironment) { e.Prism.Hide("vms", true) },
		"no Prism Element is shown": func(e *testEnvironment) {
			e.Prism.Remove(e.NutanixMachine.Status.VMUUID)
			e.Prism.Hide("clusters", true)
		},
		"only VMs of others are shown": func(e *testEnvironment) {
			e.Prism.Remove(e.NutanixMachine.Status.VMUUID)
			sibling := controllertest.NewFixture(e.Environment).NutanixMachine
			sibling.Name, sibling.Spec.ProviderID, sibling.Labels = "sibling", "nutanix://"+vm2, e.NutanixMachine.Labels
			e.Create(sibling)
		},
	}
	for name, shrink := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.Put(bystander)
			e.running()
			vm := e.vm()
			shrink(e)
			e.pass(time.Hour)
			e.RequireFalse(e.NutanixMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason)
			assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.InputsResolvedCondition), "its absence is not proven")
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.Empty(t, e.Terraform.Runs())
			e.Prism.Hide("vms", false)
			e.Prism.Hide("clusters", false)
			e.Prism.Put(vm)
			e.settle()
			assert.True(t, conditions.IsTrue(e.NutanixMachine, infrav1.InputsResolvedCondition))
		})
	}
}

// If the account sees another VM of the cluster, a VM that is not found is reported as lost.
func TestLostVMBesideOthersOfTheCluster(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	sibling := controllertest.NewFixture(e.Environment).NutanixMachine
	sibling.Name, sibling.Spec.ProviderID, sibling.Labels = "sibling", "nutanix://"+vm2, e.NutanixMachine.Labels
	e.Create(sibling)
	e.Prism.Put(controllertest.VM{UUID: vm2, Name: "sibling"})
	e.Prism.Remove(e.NutanixMachine.Status.VMUUID)
	e.pass(4 * time.Minute)
	e.requireFalse(infrav1.AppliedCondition, infrav1.VMLostReason)
}

// CAPNT 0.1 reported a lost VM as a terminal failure.
func TestTerminalFailureOfV010IsRemoved(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		machine.Status.FailureReason, machine.Status.FailureMessage = ptr.To(infrav1.VMLostReason), ptr.To("it disappeared")
	})
	e.settle()
	assert.Nil(t, e.NutanixMachine.Status.FailureReason)
	assert.Nil(t, e.NutanixMachine.Status.FailureMessage)
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// A failover restores the VM under another UUID, before or after the VM was reported as lost.
func TestFailedOverVMIsTakenOver(t *testing.T) {
	for name, after := range map[string]time.Duration{"at once": 0, "after a minute": time.Minute, "after it was lost": time.Hour} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.Put(bystander)
			e.running()
			vm := e.vm()
			old, providerID := vm.UUID, e.NutanixMachine.Spec.ProviderID
			e.Prism.Remove(old)
			e.pass(after)
			vm.UUID, vm.Addresses = controllertest.UUID(6, 77), []string{"10.0.0.77"}
			e.Prism.Put(vm)
			e.pass(4 * time.Minute)
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.Equal(t, vm.UUID, e.NutanixMachine.Status.VMUUID)
			assert.Equal(t, providerID, e.NutanixMachine.Spec.ProviderID, "Cluster API does not let it change")
			assert.Equal(t, "10.0.0.77", e.NutanixMachine.Status.Addresses[1].Address)
			assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
			assert.Equal(t, 1, e.count("Normal VMFailedOver"))
			assert.Equal(t, 1, e.count("Normal Imported"))

			e.restart()
			controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.VMUUID = "" }) // as after clusterctl move
			e.pass(time.Minute)
			assert.Equal(t, vm.UUID, e.NutanixMachine.Status.VMUUID)
			assert.Len(t, e.Prism.VMs(), 2)
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
			assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs(), "it goes with its Machine")
		})
	}
}

// If the response to a create request is lost, exactly one VM is created, even if lists are stale and the manager
// restarts.
func TestCreateWhoseResponseIsLost(t *testing.T) {
	for name, restarts := range map[string]bool{"": false, "and the manager restarts": true} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.Put(bystander)
			e.Prism.Lag(true)
			e.Prism.FailCreates(controllertest.CreateRepliesLost)
			e.CreateMachine(e.Environment)
			e.settle()
			e.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
			require.NotNil(t, e.intent())
			if restarts {
				e.restart()
			}
			e.pass(2 * time.Minute)
			e.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
			e.Prism.FailCreates(controllertest.CreatesSucceed)
			e.Prism.Lag(false)
			e.pass(2 * time.Minute)
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.Len(t, e.Prism.VMs(), 2)
			assert.Nil(t, e.intent(), "the intent is settled")
			e.delete()
			assert.True(t, e.Gone(e.NutanixMachine))
			assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs())
		})
	}
}

// If a machine is deleted while a create request is open, the deletion destroys the VM of that request.
func TestDeletionWhileCreateIsOpen(t *testing.T) {
	tests := map[string]struct {
		fault controllertest.CreateFault
		// late is true if Prism Central executes the request a minute later.
		late bool
	}{
		"its response was lost":    {fault: controllertest.CreateRepliesLost},
		"it made nothing":          {fault: controllertest.CreatesLost},
		"Prism Central is late":    {fault: controllertest.CreatesLost, late: true},
		"its task failed":          {fault: controllertest.CreatesFail},
		"Prism Central refused it": {fault: controllertest.CreatesRefused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.Put(bystander)
			e.Prism.Lag(true)
			e.Prism.FailCreates(test.fault)
			e.CreateMachine(e.Environment)
			e.settle()
			e.restart()
			e.delete()
			if test.fault == controllertest.CreateRepliesLost || test.fault == controllertest.CreatesLost {
				require.False(t, e.Gone(e.NutanixMachine), "what came of the create is not known")
				e.RequireFalse(e.NutanixMachine, infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
			}
			e.pass(time.Minute)
			if test.late {
				e.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", Description: mark(e.NutanixMachine)})
			}
			e.Prism.Lag(false)
			e.pass(4 * time.Minute)
			assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
			assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs())
		})
	}
}

// If it is certain that a create request never reached Prism Central, the request is sent again.
func TestLostCreateIsRepeated(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.Prism.FailCreates(controllertest.CreatesLost)
	e.CreateMachine(e.Environment)
	e.settle()
	e.Prism.FailCreates(controllertest.CreatesSucceed)
	e.pass(3*time.Minute - 20*time.Second)
	assert.Len(t, e.Prism.VMs(), 1)
	e.pass(40 * time.Second)
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Len(t, e.Prism.VMs(), 2)
}

// If the account sees no other VM, a lost create request is sent again only after a longer time.
func TestLostFirstCreateIsRepeated(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.FailCreates(controllertest.CreatesLost)
	e.CreateMachine(e.Environment)
	e.settle()
	e.Prism.FailCreates(controllertest.CreatesSucceed)
	e.pass(29 * time.Minute)
	assert.Empty(t, e.Prism.VMs())
	e.pass(2 * time.Minute)
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, 1, e.count("Warning VMAbsenceUnproven"))
}

// If Prism Central rejects a create request or its task fails, no VM was created. The request is sent again
// immediately, and the user may correct the spec.
func TestFailedCreateIsRepeatedAtOnce(t *testing.T) {
	for _, fault := range []controllertest.CreateFault{controllertest.CreatesRefused, controllertest.CreatesFail} {
		t.Run(string(fault), func(t *testing.T) {
			e := newTestEnvironment(t)
			e.Prism.FailCreates(fault)
			e.CreateMachine(e.Environment)
			e.settle()
			old := e.NutanixMachine.DeepCopy()
			e.Prism.FailCreates(controllertest.CreatesSucceed)
			mutate(e, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize = resource.MustParse("2Gi") })
			assert.Empty(t, e.NutanixMachine.ValidateUpdate(old, providerid.Parse))
			e.settle()
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.Len(t, e.Prism.VMs(), 1)
		})
	}
}

// A single response that a VM does not exist does not remove the finalizer.
func TestDeletionConfirmsAbsenceOfVM(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.running()
	e.Prism.Hide("vms", true)
	e.delete()
	require.False(t, e.Gone(e.NutanixMachine))
	e.RequireFalse(e.NutanixMachine, infrav1.AppliedCondition, infrav1.VMNotFoundReason)
	e.pass(20 * time.Minute)
	require.False(t, e.Gone(e.NutanixMachine), "the account sees no VM at all")
	e.Prism.Hide("vms", false)
	e.pass(2 * time.Minute)
	assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs())
}

// If the VM was deleted externally, the deletion of its Machine waits only for the absence period, and the searches
// start no process.
func TestDeletionOfExternallyDeletedVM(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.running()
	e.Prism.Remove(e.NutanixMachine.Status.VMUUID)
	e.delete()
	e.pass(3*time.Minute - 20*time.Second)
	require.False(t, e.Gone(e.NutanixMachine))
	e.pass(40 * time.Second)
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Len(t, e.Terraform.Runs(), 2, "one run found it missing, and one ended the deletion")
}

// A deletion also ends if Prism Central shows the account no VMs at all.
func TestDeletionEndsWithoutVisibleVMs(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Prism.Remove(e.NutanixMachine.Status.VMUUID)
	e.delete()
	e.pass(29 * time.Minute)
	require.False(t, e.Gone(e.NutanixMachine))
	e.pass(2 * time.Minute)
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Equal(t, 1, e.count("Warning VMAbsenceUnproven"))
}

func TestDeletionDestroysAllVMsOfTheMachine(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.running()
	for n := range 2 {
		e.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 70+n), Name: "m", Description: mark(e.NutanixMachine)})
	}
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs())
	assert.Equal(t, 3, e.count("Normal Destroyed"))
}

// If the descriptions of two VMs identify the same NutanixMachine, the Applied condition names both VMs and CAPNT
// creates no further VM.
func TestDuplicateVMsAreReported(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.Prism.FailCreates(controllertest.CreatesLost)
	e.CreateMachine(e.Environment)
	e.settle()
	for _, uuid := range []string{vm1, vm2} {
		e.Prism.Put(controllertest.VM{UUID: uuid, Name: "m", Description: mark(e.NutanixMachine)})
	}
	e.pass(2 * time.Minute)
	e.requireFalse(infrav1.AppliedCondition, infrav1.VMDuplicateReason)
	message := conditions.GetMessage(e.NutanixMachine, infrav1.AppliedCondition)
	assert.Contains(t, message, vm1)
	assert.Contains(t, message, vm2)
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine), "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, []controllertest.VM{bystander}, e.Prism.VMs())
}

// If CAPNT 0.1 stored the UUID of a VM only in the status, CAPNT treats the UUID like the UUID of an accepted create
// request.
func TestCreateOfV010(t *testing.T) {
	e := newTestEnvironment(t)
	e.Prism.Put(bystander)
	e.CreateMachine(e.Environment)
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.VMUUID = vm2 })
	e.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", State: "PENDING"})
	e.pass(time.Minute)
	assert.Equal(t, vm2, e.NutanixMachine.Status.VMUUID)
	assert.NotContains(t, e.Terraform.Runs(), "apply", "Prism Central has not finished it")
	e.Prism.Remove(vm2)
	e.pass(2 * time.Minute)
	e.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
	e.pass(2 * time.Minute)
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Len(t, e.Prism.VMs(), 2)
}
