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
)

// pass lets time pass in steps of 20 seconds, as if the machine were reconciled all the time.
func (w *world) pass(duration time.Duration) {
	w.T.Helper()
	for ; duration > 0; duration -= 20 * time.Second {
		w.Advance(min(duration, 20*time.Second))
		w.settle()
	}
}

// restart replaces the process: nothing is in its memory.
func (w *world) restart() {
	w.reconciler.Pipeline.Init()
	w.reconciler.absences = absences{}
}

func (w *world) count(event string) int {
	return strings.Count(strings.Join(reasons(w.Recorder.All()), "; "), event)
}

func TestLostVM(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.running()
	vm := w.vm()
	w.Prism.Remove(vm.UUID)
	result := w.settle()
	assert.Positive(t, result.RequeueAfter, "it is searched again")
	w.RequireFalse(w.NutanixMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason)
	assert.True(t, w.NutanixMachine.Status.Ready, "it may come back: %+v", w.NutanixMachine.Status.Conditions)
	w.pass(3*time.Minute - 20*time.Second)
	assert.True(t, w.NutanixMachine.Status.Ready)
	w.pass(20 * time.Second)
	w.requireFalse(infrav1.AppliedCondition, infrav1.VMLostReason)
	assert.Equal(t, infrav1.VMLostReason, conditions.GetReason(w.NutanixMachine, infrav1.ReadyCondition))
	assert.Nil(t, w.NutanixMachine.Status.FailureReason, "Cluster API never clears a failure that it has copied")
	assert.NotEmpty(t, w.NutanixMachine.Status.Addresses)

	w.restart()
	w.settle()
	w.requireFalse(infrav1.AppliedCondition, infrav1.VMLostReason)
	w.pass(10 * time.Minute)
	assert.Empty(t, w.Terraform.Runs(), "it is not created again")
	assert.Equal(t, 1, w.count("Warning VMLost"))

	w.Prism.Put(vm)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "the condition is withdrawn: %+v", w.NutanixMachine.Status.Conditions)
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
}

// vm is the VM of the machine.
func (w *world) vm() controllertest.VM {
	w.T.Helper()
	for _, vm := range w.Prism.VMs() {
		if vm.UUID == w.NutanixMachine.Status.VMUUID {
			return vm
		}
	}
	require.Fail(w.T, "the machine has no VM")
	return controllertest.VM{}
}

// A VM that is found again in time was never lost.
func TestMissingVMComesBack(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.running()
	vm := w.vm()
	for range 3 {
		w.Prism.Remove(vm.UUID)
		w.pass(2 * time.Minute)
		w.RequireFalse(w.NutanixMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason)
		w.Prism.Put(vm)
		w.settle()
		require.True(t, conditions.IsTrue(w.NutanixMachine, infrav1.InputsResolvedCondition))
		assert.True(t, w.NutanixMachine.Status.Ready)
	}
	assert.Zero(t, w.count("Warning VMLost"))
}

// When an account loses its rights, Prism Central shows it less. No VM is lost by that.
func TestShrunkenRightsLoseNoVM(t *testing.T) {
	tests := map[string]func(w *world){
		"no VM is shown":            func(w *world) { w.Prism.Hide("vms", true) },
		"no Prism Element is shown": func(w *world) { w.Prism.Remove(w.NutanixMachine.Status.VMUUID); w.Prism.Hide("clusters", true) },
		"only VMs of others are shown": func(w *world) {
			w.Prism.Remove(w.NutanixMachine.Status.VMUUID)
			sibling := controllertest.NewFixture(w.Bed).NutanixMachine
			sibling.Name, sibling.Spec.ProviderID, sibling.Labels = "sibling", "nutanix://"+vm2, w.NutanixMachine.Labels
			w.Create(sibling)
		},
	}
	for name, shrink := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Prism.Put(bystander)
			w.running()
			vm := w.vm()
			shrink(w)
			w.pass(time.Hour)
			w.RequireFalse(w.NutanixMachine, infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason)
			assert.Contains(t, conditions.GetMessage(w.NutanixMachine, infrav1.InputsResolvedCondition), "its absence is not proven")
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			assert.Empty(t, w.Terraform.Runs())
			w.Prism.Hide("vms", false)
			w.Prism.Hide("clusters", false)
			w.Prism.Put(vm)
			w.settle()
			assert.True(t, conditions.IsTrue(w.NutanixMachine, infrav1.InputsResolvedCondition))
		})
	}
}

// With another VM of the cluster in view, the loss of one is believed.
func TestLostVMBesideOthersOfTheCluster(t *testing.T) {
	w := newWorld(t)
	w.running()
	sibling := controllertest.NewFixture(w.Bed).NutanixMachine
	sibling.Name, sibling.Spec.ProviderID, sibling.Labels = "sibling", "nutanix://"+vm2, w.NutanixMachine.Labels
	w.Create(sibling)
	w.Prism.Put(controllertest.VM{UUID: vm2, Name: "sibling"})
	w.Prism.Remove(w.NutanixMachine.Status.VMUUID)
	w.pass(4 * time.Minute)
	w.requireFalse(infrav1.AppliedCondition, infrav1.VMLostReason)
}

// CAPNT 0.1 declared a VM lost for good.
func TestTerminalFailureOfV010IsCleared(t *testing.T) {
	w := newWorld(t)
	w.running()
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		machine.Status.FailureReason, machine.Status.FailureMessage = ptr.To(infrav1.VMLostReason), ptr.To("it disappeared")
	})
	w.settle()
	assert.Nil(t, w.NutanixMachine.Status.FailureReason)
	assert.Nil(t, w.NutanixMachine.Status.FailureMessage)
	assert.True(t, w.NutanixMachine.Status.Ready)
}

// A failover brings the VM back under another UUID, before or after it was called lost.
func TestFailedOverVMIsRecognised(t *testing.T) {
	for name, after := range map[string]time.Duration{"at once": 0, "after a minute": time.Minute, "after it was lost": time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Prism.Put(bystander)
			w.running()
			vm := w.vm()
			old, providerID := vm.UUID, w.NutanixMachine.Spec.ProviderID
			w.Prism.Remove(old)
			w.pass(after)
			vm.UUID, vm.Addresses = controllertest.UUID(6, 77), []string{"10.0.0.77"}
			w.Prism.Put(vm)
			w.pass(4 * time.Minute)
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			assert.Equal(t, vm.UUID, w.NutanixMachine.Status.VMUUID)
			assert.Equal(t, providerID, w.NutanixMachine.Spec.ProviderID, "Cluster API does not let it change")
			assert.Equal(t, "10.0.0.77", w.NutanixMachine.Status.Addresses[1].Address)
			assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
			assert.Equal(t, 1, w.count("Normal VMFailedOver"))
			assert.Equal(t, 1, w.count("Normal Imported"))

			w.restart()
			controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.VMUUID = "" }) // a move
			w.pass(time.Minute)
			assert.Equal(t, vm.UUID, w.NutanixMachine.Status.VMUUID)
			assert.Len(t, w.Prism.VMs(), 2)
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
			assert.Equal(t, []controllertest.VM{bystander}, w.Prism.VMs(), "it goes with its Machine")
		})
	}
}

// A create whose response is lost makes one VM, although lists lag behind and the manager restarts.
func TestCreateWhoseResponseIsLost(t *testing.T) {
	for name, restarts := range map[string]bool{"": false, "and the manager restarts": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Prism.Put(bystander)
			w.Prism.Lag(true)
			w.Prism.FailCreates(controllertest.CreateRepliesLost)
			w.CreateMachine(w.Bed)
			w.settle()
			w.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
			require.NotNil(t, w.intent())
			if restarts {
				w.restart()
			}
			w.pass(2 * time.Minute)
			w.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
			w.Prism.FailCreates(controllertest.CreatesSucceed)
			w.Prism.Lag(false)
			w.pass(2 * time.Minute)
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			assert.Len(t, w.Prism.VMs(), 2)
			assert.Nil(t, w.intent(), "the intent is settled")
			w.delete()
			assert.True(t, w.Gone(w.NutanixMachine))
			assert.Equal(t, []controllertest.VM{bystander}, w.Prism.VMs())
		})
	}
}

// What a create made that was on its way when the machine was deleted goes with the machine.
func TestDeletionWhileCreateIsOpen(t *testing.T) {
	tests := map[string]struct {
		fault controllertest.CreateFault
		// late is what Prism Central makes of the request a minute later.
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
			w := newWorld(t)
			w.Prism.Put(bystander)
			w.Prism.Lag(true)
			w.Prism.FailCreates(test.fault)
			w.CreateMachine(w.Bed)
			w.settle()
			w.restart()
			w.delete()
			if test.fault == controllertest.CreateRepliesLost || test.fault == controllertest.CreatesLost {
				require.False(t, w.Gone(w.NutanixMachine), "what came of the create is not known")
				w.RequireFalse(w.NutanixMachine, infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
			}
			w.pass(time.Minute)
			if test.late {
				w.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", Description: mark(w.NutanixMachine)})
			}
			w.Prism.Lag(false)
			w.pass(4 * time.Minute)
			assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
			assert.Equal(t, []controllertest.VM{bystander}, w.Prism.VMs())
		})
	}
}

// A create that never reached Prism Central is repeated when that is certain.
func TestLostCreateIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.Prism.FailCreates(controllertest.CreatesLost)
	w.CreateMachine(w.Bed)
	w.settle()
	w.Prism.FailCreates(controllertest.CreatesSucceed)
	w.pass(3*time.Minute - 20*time.Second)
	assert.Len(t, w.Prism.VMs(), 1)
	w.pass(40 * time.Second)
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Len(t, w.Prism.VMs(), 2)
}

// Where the account sees no other VM, it takes longer.
func TestLostFirstCreateIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.Prism.FailCreates(controllertest.CreatesLost)
	w.CreateMachine(w.Bed)
	w.settle()
	w.Prism.FailCreates(controllertest.CreatesSucceed)
	w.pass(29 * time.Minute)
	assert.Empty(t, w.Prism.VMs())
	w.pass(2 * time.Minute)
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, 1, w.count("Warning VMAbsenceUnproven"))
}

// A create that Prism Central refused, or whose task failed, made nothing for certain. It is repeated at once, and the spec may be corrected.
func TestFailedCreateIsRepeatedAtOnce(t *testing.T) {
	for _, fault := range []controllertest.CreateFault{controllertest.CreatesRefused, controllertest.CreatesFail} {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t)
			w.Prism.FailCreates(fault)
			w.CreateMachine(w.Bed)
			w.settle()
			old := w.NutanixMachine.DeepCopy()
			w.Prism.FailCreates(controllertest.CreatesSucceed)
			mutate(w, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize = resource.MustParse("2Gi") })
			assert.Empty(t, w.NutanixMachine.ValidateUpdate(old, providerid.Parse))
			w.settle()
			assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
			assert.Len(t, w.Prism.VMs(), 1)
		})
	}
}

// One response that a VM does not exist releases no finalizer.
func TestDeletionOfVMThatIsNotFound(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.running()
	w.Prism.Hide("vms", true)
	w.delete()
	require.False(t, w.Gone(w.NutanixMachine))
	w.RequireFalse(w.NutanixMachine, infrav1.AppliedCondition, infrav1.VMNotFoundReason)
	w.pass(20 * time.Minute)
	require.False(t, w.Gone(w.NutanixMachine), "the account sees no VM at all")
	w.Prism.Hide("vms", false)
	w.pass(2 * time.Minute)
	assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, []controllertest.VM{bystander}, w.Prism.VMs())
}

// A VM that somebody deleted keeps its Machine for the absence period and no longer, and costs no process for each search.
func TestDeletionOfVMThatSomebodyDeleted(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.running()
	w.Prism.Remove(w.NutanixMachine.Status.VMUUID)
	w.delete()
	w.pass(3*time.Minute - 20*time.Second)
	require.False(t, w.Gone(w.NutanixMachine))
	w.pass(40 * time.Second)
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Len(t, w.Terraform.Runs(), 2, "one run found it missing, and one ended the deletion")
}

// Where Prism Central shows no VM at all, a deletion ends too.
func TestEveryDeletionEnds(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.Prism.Remove(w.NutanixMachine.Status.VMUUID)
	w.delete()
	w.pass(29 * time.Minute)
	require.False(t, w.Gone(w.NutanixMachine))
	w.pass(2 * time.Minute)
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Equal(t, 1, w.count("Warning VMAbsenceUnproven"))
}

// A deletion destroys all VMs with the mark.
func TestDeletionDestroysAllVMsOfTheMachine(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.running()
	for n := range 2 {
		w.Prism.Put(controllertest.VM{UUID: controllertest.UUID(6, 70+n), Name: "m", Description: mark(w.NutanixMachine)})
	}
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, []controllertest.VM{bystander}, w.Prism.VMs())
	assert.Equal(t, 3, w.count("Normal Destroyed"))
}

// Two VMs with the mark are named, and nothing is created.
func TestDuplicateVMsAreNamed(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.Prism.FailCreates(controllertest.CreatesLost)
	w.CreateMachine(w.Bed)
	w.settle()
	for _, uuid := range []string{vm1, vm2} {
		w.Prism.Put(controllertest.VM{UUID: uuid, Name: "m", Description: mark(w.NutanixMachine)})
	}
	w.pass(2 * time.Minute)
	w.requireFalse(infrav1.AppliedCondition, infrav1.VMDuplicateReason)
	message := conditions.GetMessage(w.NutanixMachine, infrav1.AppliedCondition)
	assert.Contains(t, message, vm1)
	assert.Contains(t, message, vm2)
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine), "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, []controllertest.VM{bystander}, w.Prism.VMs())
}

// A VM that CAPNT 0.1 made and whose object never heard of it again is treated like an accepted create.
func TestCreateOfV010(t *testing.T) {
	w := newWorld(t)
	w.Prism.Put(bystander)
	w.CreateMachine(w.Bed)
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) { machine.Status.VMUUID = vm2 })
	w.Prism.Put(controllertest.VM{UUID: vm2, Name: "m", State: "PENDING"})
	w.pass(time.Minute)
	assert.Equal(t, vm2, w.NutanixMachine.Status.VMUUID)
	assert.NotContains(t, w.Terraform.Runs(), "apply", "Prism Central has not finished it")
	w.Prism.Remove(vm2)
	w.pass(2 * time.Minute)
	w.requireFalse(infrav1.AppliedCondition, infrav1.CreateUnconfirmedReason)
	w.pass(2 * time.Minute)
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Len(t, w.Prism.VMs(), 2)
}
