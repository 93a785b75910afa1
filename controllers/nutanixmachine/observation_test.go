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
		"no foreign attributes": {prism.VM{PowerState: "ON", CategoryValues: ours}, lifecycle.Observation{Found: true}},
		"unknown power state":   {prism.VM{}, lifecycle.Observation{Found: true}},
		"a category of others":  {prism.VM{CategoryValues: with("CostCenter", "42")}, lifecycle.Observation{Found: true, Files: foreign(map[string]string{"CostCenter": "42"})}},
		"the value that v3 sees": {prism.VM{Categories: map[string]string{"CostCenter": "43"}, CategoryValues: with("CostCenter", "42", "43")}, lifecycle.Observation{
			Found: true, Files: foreign(map[string]string{"CostCenter": "43"}),
			NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "virtual machine u has several values of category CostCenter (42, 43), of which an update would keep one: it is not updated until each key has one value"}}},
		"several values of our key": {prism.VM{CategoryValues: with("Environment", "Development", "Production")}, lifecycle.Observation{
			Found:    true,
			NoUpdate: &plan.Hold{Reason: "CategoryValuesAmbiguous", Message: "virtual machine u has several values of category Environment (Development, Production), of which an update would keep one: it is not updated until each key has one value"}}},
	}
	for _, state := range []string{"OFF", "PAUSED", "SUSPENDED"} {
		tests[state] = struct {
			vm   prism.VM
			want lifecycle.Observation
		}{prism.VM{PowerState: state}, lifecycle.Observation{Found: true, NoPlan: &plan.Hold{Reason: "VMPoweredOff", Message: powerMessage(&prism.VM{UUID: "u", PowerState: state}, machine)}}}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.vm.UUID = "u"
			assert.Equal(t, test.want, observed(&test.vm, machine))
		})
	}
}

// changeVM changes the VM in Prism Central without changing its object.
func (e *testEnvironment) changeVM(change func(vm *controllertest.VM)) {
	e.T.Helper()
	vms := e.Prism.VMs()
	require.Len(e.T, vms, 1)
	change(&vms[0])
	e.Prism.Put(vms[0])
}

func TestSwitchedOffVMGetsNoUpdate(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	result := e.settle()
	e.requireFalse(infrav1.VMPoweredOnCondition, infrav1.VMPoweredOffReason)
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.Equal(t, time.Minute, result.RequeueAfter, "its health is checked")
	assert.Empty(t, e.Terraform.Runs())

	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	e.Advance(time.Hour)
	e.settle()
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.Empty(t, e.Terraform.Runs(), "neither the edit nor the check for drift is planned")
	assert.Equal(t, "OFF", e.Prism.VMs()[0].PowerState)

	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "ON" })
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
	assert.Equal(t, "prod", e.Prism.VMs()[0].Categories["env"])
	all := strings.Join(reasons(e.Recorder.All()), "; ")
	assert.Equal(t, 1, strings.Count(all, "Warning VMPoweredOff"), all)
	assert.Equal(t, 1, strings.Count(all, "Normal VMPoweredOn"), all)
}

// The run reads the VM again before the apply, because the reconcile may have read the VM long before.
func TestVMSwitchedOffBeforeTheApplyIsNotUpdated(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	entered, release := e.Terraform.Hold("plan")
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	<-entered
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	release()
	e.settle()
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine), "a deletion does not wait for it")
	assert.Empty(t, e.Prism.VMs())
}

// If the VMPoweredOn condition was never written, a machine stays ready while Prism Central cannot be reached. The
// condition does not exist yet after an upgrade from an older release.
func TestMachineWithoutPowerConditionStaysReady(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		conditions.Delete(machine, infrav1.VMPoweredOnCondition)
	})
	e.Prism.Fail(http.StatusBadGateway)
	e.settle()
	assert.True(t, conditions.IsUnknown(e.NutanixMachine, infrav1.VMPoweredOnCondition))
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	e.Prism.Fail(0)
	e.settle()
	assert.True(t, conditions.IsTrue(e.NutanixMachine, infrav1.VMPoweredOnCondition))
	assert.True(t, e.NutanixMachine.Status.Ready)
}

func TestForeignCategoriesSurviveAnUpdate(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.Categories["CostCenter"] = "42" })
	e.Advance(10 * time.Minute)
	e.settle()
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs(), "a foreign category is no drift")

	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "c", "CostCenter": "42", "env": "prod"}, e.Prism.VMs()[0].Categories)
}

// If another client changes categories between plan and apply, the apply does not overwrite them.
func TestForeignCategoriesAreObservedAgainBeforeTheApply(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	entered, release := e.Terraform.Hold("plan")
	_, err := e.Reconcile(e.reconciler, e.NutanixMachine)
	require.NoError(t, err)
	<-entered
	e.changeVM(func(vm *controllertest.VM) { vm.Categories["CostCenter"] = "42" })
	release()
	e.settle()
	assert.Equal(t, map[string]string{"KubernetesClusterName": "c", "CostCenter": "42", "env": "prod"}, e.Prism.VMs()[0].Categories)
}

func TestSeveralValuesOfACategoryKeyBlockUpdates(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.CategoryValues = map[string][]string{"CostCenter": {"42", "43"}} })
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "env", Value: "prod"}}
	})
	e.settle()
	recorded := conditions.Get(e.NutanixMachine, infrav1.PlanRecordedCondition)
	assert.Equal(t, infrav1.CategoryValuesAmbiguousReason, recorded.Reason)
	assert.Contains(t, recorded.Message, "CostCenter (42, 43)")
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	assert.NotContains(t, e.Prism.VMs()[0].Categories, "env")

	e.changeVM(func(vm *controllertest.VM) { vm.CategoryValues = map[string][]string{"CostCenter": {"42"}} })
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Equal(t, map[string]string{"KubernetesClusterName": "c", "CostCenter": "42", "env": "prod"}, e.Prism.VMs()[0].Categories)
}

// If an operator adds memory to a running VM, the memory stays and is reported as drift.
func TestDriftThatPowerCyclesWaits(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.MemoryMiB = 8192 })
	e.Advance(10 * time.Minute)
	result := e.settle()
	e.requireWaiting("memory_size_mib")
	assert.Equal(t, time.Minute, result.RequeueAfter, "its health is checked while the plan waits")
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	assert.EqualValues(t, 8192, e.Prism.VMs()[0].MemoryMiB)

	e.reconciler.Pipeline.Init()
	e.settle()
	e.requireWaiting("memory_size_mib")
	assert.Equal(t, []string{"open"}, e.Terraform.Runs(), "another manager finds the recorded plan")

	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	e.settle()
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState, vm.MemoryMiB = "ON", 4096 })
	e.Advance(10 * time.Minute)
	e.settle()
	assert.Equal(t, infrav1.NoChangesReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, e.NutanixMachine.Status.Ready)
}

func TestEditThatPowerCyclesWaitsUntilItIsReverted(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	memory := func(quantity string) {
		mutate(e, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize = resource.MustParse(quantity) })
	}
	memory("8Gi")
	e.settle()
	e.requireWaiting("memory_size_mib")
	assert.EqualValues(t, 4096, e.Prism.VMs()[0].MemoryMiB)
	e.Prism.Fail(http.StatusBadGateway)
	e.Advance(10 * time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "a fault that passes does not make it unready, either: %+v", e.NutanixMachine.Status.Conditions)
	e.Prism.Fail(0)
	e.settle()
	e.requireWaiting("memory_size_mib")
	memory("4Gi")
	e.settle()
	assert.Equal(t, infrav1.NoChangesReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.NotContains(t, e.Terraform.Runs(), "apply")

	memory("8Gi")
	e.settle()
	e.requireWaiting("memory_size_mib")
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine), "a deletion approves its plan")
}

func (e *testEnvironment) requireWaiting(attribute string) {
	e.T.Helper()
	recorded := conditions.Get(e.NutanixMachine, infrav1.PlanRecordedCondition)
	require.NotNil(e.T, recorded)
	require.Equal(e.T, infrav1.DisruptivePlanReason, recorded.Reason, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Contains(e.T, recorded.Message, attribute+" of "+renderer.MachineAddress)
	assert.Contains(e.T, recorded.Message, "PowerCycle")
	assert.True(e.T, conditions.IsTrue(e.NutanixMachine, infrav1.AppliedCondition))
	assert.True(e.T, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
}

// planned reconciles until a plan for drift has found no changes.
func (e *testEnvironment) planned() {
	e.T.Helper()
	e.Advance(e.reconciler.DriftInterval)
	e.settle()
	require.NotEmpty(e.T, e.NutanixMachine.Status.Terraform.InfrastructureDigest)
	require.Equal(e.T, []string{"open", "plan"}, e.Terraform.Runs())
}

// inList plans the machine and waits until its VM is taken from the list of all VMs. The returned function settles the machine and returns
// the number of reads of its VM.
func (e *testEnvironment) inList() (reads func() int) {
	e.T.Helper()
	e.planned()
	own := "vms/" + e.NutanixMachine.Status.VMUUID
	reads = func() int {
		e.settle()
		return strings.Count(strings.Join(e.Prism.Requests(), "\n"), own)
	}
	require.Eventually(e.T, func() bool { return reads() == 0 }, time.Minute, 10*time.Millisecond)
	return reads
}

func TestMachineInSyncIsReadFromTheListOfAllVMs(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	reads := e.inList()
	e.Advance(e.reconciler.DriftInterval)
	for range 3 {
		assert.Zero(t, reads())
	}
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Empty(t, e.Terraform.Runs(), "an unchanged VM is not planned")

	e.changeVM(func(vm *controllertest.VM) { vm.Categories["env"] = "prod" })
	e.reconciler.HealthInterval = time.Nanosecond // the list counts as outdated
	e.settle()
	assert.Contains(t, e.Terraform.Runs(), "plan", "a changed VM is planned")
}

// The list shows only that nothing has changed. A VM that differs from the one that the last plan found is read itself.
func TestListedVMThatDiffersIsRead(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	reads := e.inList()
	controllertest.ChangeStatus(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		machine.Status.Terraform.InfrastructureDigest = "of another VM"
	})
	assert.Positive(t, reads())
}

// While Prism Central does not respond, a machine in sync is read at the usual interval and not planned.
func TestMachineThatCannotBeReadIsNotPlanned(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.Advance(e.reconciler.DriftInterval)
	e.Prism.Fail(http.StatusServiceUnavailable)
	assert.Equal(t, e.reconciler.HealthInterval, e.settle().RequeueAfter)
	assert.Empty(t, e.Terraform.Runs())
	assert.True(t, e.NutanixMachine.Status.Ready)
	e.Prism.Fail(0)
	e.settle()
	assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
}

func TestMachineIsPlannedOnceADay(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.planned()
	for range 2 {
		e.Advance(24 * time.Hour)
		e.settle()
		assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs())
	}
}
