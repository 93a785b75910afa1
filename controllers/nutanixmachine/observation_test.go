package nutanixmachine

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

func TestObserved(t *testing.T) {
	machine := &infrav1.NutanixMachine{Spec: infrav1.NutanixMachineSpec{
		Categories:           []infrav1.NutanixCategoryIdentifier{{Key: "Environment", Value: "Production"}},
		AdditionalCategories: []infrav1.NutanixCategoryIdentifier{{Key: "AppTier", Value: "Database"}},
	}}
	ours := map[string][]string{"KubernetesClusterName": {"c"}, "Environment": {"Development"}, "AppTier": {"Database"}}
	with := func(key string, values ...string) map[string][]string {
		all := maps.Clone(ours)
		all[key] = values
		return all
	}
	foreign := func(categories map[string]string) map[string][]byte {
		return map[string][]byte{renderer.ForeignCategoriesFile: renderer.ForeignCategories(categories)}
	}
	tests := map[string]struct {
		vm   prism.VM
		want lifecycle.Observation
	}{
		"nothing of others":    {prism.VM{PowerState: "ON", CategoryValues: ours}, lifecycle.Observation{Found: true}},
		"unknown power state":  {prism.VM{}, lifecycle.Observation{Found: true}},
		"a category of others": {prism.VM{CategoryValues: with("CostCenter", "42")}, lifecycle.Observation{Found: true, Files: foreign(map[string]string{"CostCenter": "42"})}},
		"the value that v3 sees": {prism.VM{Categories: map[string]string{"CostCenter": "43"}, CategoryValues: with("CostCenter", "42", "43")}, lifecycle.Observation{
			Found: true, Files: foreign(map[string]string{"CostCenter": "43"}),
			NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "virtual machine u has several values of category CostCenter (42, 43), of which an update would keep one: it is not updated until each key has one value"}}},
		"several of our key": {prism.VM{CategoryValues: with("Environment", "Development", "Production")}, lifecycle.Observation{
			Found:    true,
			NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "virtual machine u has several values of category Environment (Development, Production), of which an update would keep one: it is not updated until each key has one value"}}},
	}
	for _, state := range []string{"OFF", "PAUSED", "SUSPENDED"} {
		tests[state] = struct {
			vm   prism.VM
			want lifecycle.Observation
		}{prism.VM{PowerState: state}, lifecycle.Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: powerMessage(&prism.VM{UUID: "u", PowerState: state})}}}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.vm.UUID = "u"
			assert.Equal(t, test.want, observed(&test.vm, machine))
		})
	}
}

// change changes the one virtual machine behind the back of its object.
func (w *world) changeVM(change func(vm *controllertest.VM)) {
	w.T.Helper()
	vms := w.Prism.VMs()
	require.Len(w.T, vms, 1)
	change(&vms[0])
	w.Prism.Put(vms[0])
}

func TestSwitchedOffVMGetsNoUpdate(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	result := w.settle()
	w.requireFalse(infrav1.VMPoweredOnCondition, infrav1.VMPoweredOffReason)
	w.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.Equal(t, time.Minute, result.RequeueAfter, "its health is checked")
	assert.Empty(t, w.Terraform.Runs())

	mutate(w, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	w.Advance(time.Hour)
	w.settle()
	w.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.Empty(t, w.Terraform.Runs(), "neither the edit nor the check for drift is planned")
	assert.Equal(t, "OFF", w.Prism.VMs()[0].PowerState)

	w.changeVM(func(vm *controllertest.VM) { vm.PowerState = "ON" })
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Equal(t, []string{"open", "plan", "open", "apply"}, w.Terraform.Runs())
	assert.Equal(t, "prod", w.Prism.VMs()[0].Categories["env"])
	all := strings.Join(reasons(w.Recorder.All()), "; ")
	assert.Equal(t, 1, strings.Count(all, "Warning VMPoweredOff"), all)
	assert.Equal(t, 1, strings.Count(all, "Normal VMPoweredOn"), all)
}

// The run reads the VM itself, because a reconcile may have read it long before.
func TestVMSwitchedOffBeforeTheApplyIsNotUpdated(t *testing.T) {
	w := newWorld(t)
	w.running()
	mutate(w, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	entered, release := w.Terraform.Hold("plan")
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	<-entered
	w.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	release()
	w.settle()
	w.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.NotContains(t, w.Terraform.Runs(), "apply")
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine), "a deletion does not wait for it")
	assert.Empty(t, w.Prism.VMs())
}

// A condition that was never written does not make a machine unready while Prism Central cannot be asked, for example after an
// upgrade of the manager.
func TestMissingPowerConditionIsNotUnready(t *testing.T) {
	w := newWorld(t)
	w.running()
	controllertest.ChangeStatus(w.Bed, w.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		conditions.Delete(machine, infrav1.VMPoweredOnCondition)
	})
	w.Prism.Fail(http.StatusBadGateway)
	w.settle()
	assert.True(t, conditions.IsUnknown(w.NutanixMachine, infrav1.VMPoweredOnCondition))
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	w.Prism.Fail(0)
	w.settle()
	assert.True(t, conditions.IsTrue(w.NutanixMachine, infrav1.VMPoweredOnCondition))
	assert.True(t, w.NutanixMachine.Status.Ready)
}

func TestForeignCategoriesSurviveAnUpdate(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.changeVM(func(vm *controllertest.VM) { vm.Categories["CostCenter"] = "42" })
	w.Advance(10 * time.Minute)
	w.settle()
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs(), "a category of others is no drift")

	mutate(w, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "c", "CostCenter": "42", "env": "prod"}, w.Prism.VMs()[0].Categories)
}

// Categories that others change between plan and apply are not overwritten.
func TestForeignCategoriesAreObservedAgainBeforeTheApply(t *testing.T) {
	w := newWorld(t)
	w.running()
	mutate(w, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	entered, release := w.Terraform.Hold("plan")
	_, err := w.Reconcile(w.reconciler, w.NutanixMachine)
	require.NoError(t, err)
	<-entered
	w.changeVM(func(vm *controllertest.VM) { vm.Categories["CostCenter"] = "42" })
	release()
	w.settle()
	assert.Equal(t, map[string]string{"KubernetesClusterName": "c", "CostCenter": "42", "env": "prod"}, w.Prism.VMs()[0].Categories)
}

func TestSeveralValuesOfACategoryKeyHoldUpdates(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.changeVM(func(vm *controllertest.VM) { vm.CategoryValues = map[string][]string{"CostCenter": {"42", "43"}} })
	mutate(w, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	w.settle()
	recorded := conditions.Get(w.NutanixMachine, infrav1.PlanRecordedCondition)
	assert.Equal(t, infrav1.CategoryValuesAmbiguousReason, recorded.Reason)
	assert.Contains(t, recorded.Message, "CostCenter (42, 43)")
	assert.True(t, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
	assert.NotContains(t, w.Terraform.Runs(), "apply")
	assert.NotContains(t, w.Prism.VMs()[0].Categories, "env")

	w.changeVM(func(vm *controllertest.VM) { vm.CategoryValues = map[string][]string{"CostCenter": {"42"}} })
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "c", "CostCenter": "42", "env": "prod"}, w.Prism.VMs()[0].Categories)
}

// Memory that an operator added to a running VM is reported and left in place.
func TestDriftThatPowerCyclesWaits(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.changeVM(func(vm *controllertest.VM) { vm.MemoryMiB = 8192 })
	w.Advance(10 * time.Minute)
	result := w.settle()
	w.requireWaiting("memory_size_mib")
	assert.Equal(t, time.Minute, result.RequeueAfter, "its health is checked while the plan waits")
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs())
	assert.EqualValues(t, 8192, w.Prism.VMs()[0].MemoryMiB)

	w.reconciler.Pipeline.Init()
	w.settle()
	w.requireWaiting("memory_size_mib")
	assert.Equal(t, []string{"open", "plan"}, w.Terraform.Runs(), "another manager plans again, because plans are not kept")

	w.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	w.settle()
	w.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	w.changeVM(func(vm *controllertest.VM) { vm.PowerState, vm.MemoryMiB = "ON", 4096 })
	w.Advance(10 * time.Minute)
	w.settle()
	assert.Equal(t, infrav1.NoChangesReason, conditions.GetReason(w.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, w.NutanixMachine.Status.Ready)
}

func TestEditThatPowerCyclesWaitsUntilItIsReverted(t *testing.T) {
	w := newWorld(t)
	w.running()
	memory := func(quantity string) {
		mutate(w, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize = resource.MustParse(quantity) })
	}
	memory("8Gi")
	w.settle()
	w.requireWaiting("memory_size_mib")
	assert.EqualValues(t, 4096, w.Prism.VMs()[0].MemoryMiB)
	w.Prism.Fail(http.StatusBadGateway)
	w.Advance(10 * time.Minute)
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready, "a fault that passes does not make it unready, either: %+v", w.NutanixMachine.Status.Conditions)
	w.Prism.Fail(0)
	w.settle()
	w.requireWaiting("memory_size_mib")
	memory("4Gi")
	w.settle()
	assert.Equal(t, infrav1.NoChangesReason, conditions.GetReason(w.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.NotContains(t, w.Terraform.Runs(), "apply")

	memory("8Gi")
	w.settle()
	w.requireWaiting("memory_size_mib")
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine), "a deletion approves its plan")
}

func (w *world) requireWaiting(attribute string) {
	w.T.Helper()
	recorded := conditions.Get(w.NutanixMachine, infrav1.PlanRecordedCondition)
	require.NotNil(w.T, recorded)
	require.Equal(w.T, infrav1.DisruptivePlanReason, recorded.Reason, "%+v", w.NutanixMachine.Status.Conditions)
	assert.Contains(w.T, recorded.Message, attribute+" of "+renderer.MachineAddress)
	assert.Contains(w.T, recorded.Message, "PowerCycle")
	assert.True(w.T, conditions.IsTrue(w.NutanixMachine, infrav1.AppliedCondition))
	assert.True(w.T, w.NutanixMachine.Status.Ready, "%+v", w.NutanixMachine.Status.Conditions)
}
