package nutanixmachine

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/renderer"
)

// ask makes the owner of the cluster ask for an API. The NutanixCluster itself is migrated already, because another controller does that.
func (e *testEnvironment) ask(api infrav1.PrismAPI) {
	e.T.Helper()
	e.reconciler.ProviderVersions = []string{"1.9.5", controllertest.V4Provider}
	if !e.Prism.HasCategory(infrav1.CategoryKey, "c") {
		e.Prism.PutCategory(infrav1.CategoryKey, "c")
	}
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{API: api}
		metav1.SetMetaDataAnnotation(&cluster.ObjectMeta, infrav1.PrismAPIAnnotation, string(infrav1.PrismAPIV4))
	})
}

// requireUnchanged requires that Prism Central has received no request that can change something, and that the machine stays ready.
func (e *testEnvironment) requireUnchanged() {
	e.T.Helper()
	for _, request := range e.Prism.Requests() {
		method, path, _ := strings.Cut(request, " ")
		reads := method == http.MethodGet || method == http.MethodOptions || method == http.MethodPost && strings.HasSuffix(path, "/list")
		assert.True(e.T, reads, request)
	}
	assert.True(e.T, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
}

func (e *testEnvironment) requireMigrated(api infrav1.PrismAPI) {
	e.T.Helper()
	assert.Equal(e.T, api, infrav1.RecordedPrismAPI(e.NutanixMachine))
	assert.Empty(e.T, infrav1.MigratingPrismAPI(e.NutanixMachine))
	assert.True(e.T, conditions.IsTrue(e.NutanixMachine, infrav1.PrismAPIMigratedCondition), "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(e.T, api, e.NutanixMachine.Status.Terraform.API)
}

func (e *testEnvironment) requireNotMigrated(reason, message string) {
	e.T.Helper()
	assert.Equal(e.T, infrav1.PrismAPIV3, infrav1.RecordedPrismAPI(e.NutanixMachine))
	assert.Empty(e.T, infrav1.MigratingPrismAPI(e.NutanixMachine))
	e.RequireFalse(e.NutanixMachine, infrav1.PrismAPIMigratedCondition, reason)
	assert.Contains(e.T, conditions.GetMessage(e.NutanixMachine, infrav1.PrismAPIMigratedCondition), message)
}

func TestMachineIsMigratedAndBack(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	for _, api := range []infrav1.PrismAPI{infrav1.PrismAPIV4, infrav1.PrismAPIV3} {
		e.ask(api)
		e.settle()
		e.requireMigrated(api)
		e.requireUnchanged()
		assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
		assert.Equal(t, controllertest.V4Provider, e.Terraform.ProviderVersion())
		last := e.NutanixMachine.Status.Terraform.LastPlan
		assert.Equal(t, infrav1.PlanCauseMigrate, last.Cause)
		assert.Equal(t, renderer.API(api).MachineAddress(), last.Changes[0].Address)

		e.Advance(time.Hour)
		e.settle()
		assert.Equal(t, []string{"open", "plan"}, e.Terraform.Runs(), "the next plan finds no changes")
		e.requireUnchanged()
	}
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.Terraform = nil })
	e.settle()
	assert.False(t, conditions.Has(e.NutanixMachine, infrav1.PrismAPIMigratedCondition))
	e.delete()
	assert.Empty(t, e.Prism.VMs())
}

func TestMachineWaitsForMigration(t *testing.T) {
	for name, test := range map[string]struct {
		prepare         func(e *testEnvironment)
		reason, message string
	}{
		"its cluster": {func(e *testEnvironment) {
			controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { delete(cluster.Annotations, infrav1.PrismAPIAnnotation) })
		}, infrav1.WaitingForMigrationReason, "the NutanixCluster is migrated first"},
		"a machine that is off": {func(e *testEnvironment) {
			e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
		}, infrav1.VMPoweredOffReason, "power state OFF"},
		"a plan that waits": {func(e *testEnvironment) {
			mutate(e, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize = resource.MustParse("8Gi") })
			controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.Terraform = nil })
			e.settle()
			e.ask(infrav1.PrismAPIV4)
		}, infrav1.WaitingForMigrationReason, "a plan of the object waits for a decision"},
		"a provider for v4": {func(e *testEnvironment) {
			e.reconciler.ProviderVersions = []string{"1.9.5"}
		}, infrav1.ProviderVersionUnavailableReason, "needs provider 2.4.0 or later"},
		"OpenTofu": {func(e *testEnvironment) {
			e.reconciler.Pipeline.OpenTofu, e.reconciler.Pipeline.TerraformVersion = true, "1.9.1"
		}, infrav1.TerraformTooOldReason, "OpenTofu 1.10.0 or later"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			e.ask(infrav1.PrismAPIV4)
			test.prepare(e)
			e.settle()
			e.requireNotMigrated(test.reason, test.message)
			for _, request := range e.Prism.Requests() {
				assert.NotContains(t, request, http.MethodPut+" ")
			}
			assert.NotContains(t, e.Terraform.Runs(), "apply")
		})
	}
}

// A VM that was changed outside of Terraform is not migrated. Its ordinary plan, which waits, shows the difference.
func TestMachineThatDiffersFromItsSpecIsNotMigrated(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.MemoryMiB = 2048 })
	e.ask(infrav1.PrismAPIV4)
	e.settle()
	e.requireNotMigrated(infrav1.MigrationRefusedReason, "memory_size_bytes")
	assert.Equal(t, "DisruptivePlan", conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	e.requireUnchanged()

	e.changeVM(func(vm *controllertest.VM) { vm.MemoryMiB = 4096 })
	e.Advance(time.Hour)
	e.settle()
	e.settle()
	e.requireMigrated(infrav1.PrismAPIV4)
	e.requireUnchanged()
}

// A manager that does not survive the apply, or whose apply fails, leaves the machine in one of the two states.
func TestMigrationThatFailsIsRepeated(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.ask(infrav1.PrismAPIV4)
	e.Terraform.Fail("plan", errors.New("no response"))
	e.Terraform.Fail("apply", errors.New("no response"))
	e.settle()
	assert.Equal(t, infrav1.PrismAPIV4, infrav1.MigratingPrismAPI(e.NutanixMachine))
	for range 3 {
		e.requireUnchanged()
		e.Advance(time.Minute)
		e.settle()
	}
	e.requireMigrated(infrav1.PrismAPIV4)
}

// The owner can turn back at any time, also if the state is ahead of the object because a manager ended after the apply.
func TestMigrationTurnsBack(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.ask(infrav1.PrismAPIV4)
	e.settle()
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Annotations[infrav1.PrismAPIAnnotation], machine.Annotations[infrav1.PrismAPIMigrationAnnotation] = "v3", "v4"
	})
	e.Terraform.Runs()
	e.ask(infrav1.PrismAPIV3)
	e.settle()
	e.requireMigrated(infrav1.PrismAPIV3)
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs())
	e.requireUnchanged()
}

// An object whose annotation does not match its state is not planned, because the plan would destroy the VM. It stays ready.
func TestStateOfOtherAPIIsNotPlanned(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.ask(infrav1.PrismAPIV4)
	e.settle()
	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Annotations[infrav1.PrismAPIAnnotation] = "v3" })
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.Terraform = nil })
	e.Advance(time.Hour)
	e.settle()
	assert.Equal(t, infrav1.PrismAPIMismatchReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	e.requireUnchanged()
	e.delete()
	assert.Empty(t, e.Prism.VMs())
}

// The state of an object can be ahead of its annotation, because the migration was refused after the apply. The API that the owner asks for
// then decides, although the object cannot be in sync.
func TestStateOfOtherAPIIsMigrated(t *testing.T) {
	for name, test := range map[string]struct {
		asked  infrav1.PrismAPI
		change func(machine *infrav1.NutanixMachine)
	}{
		"back to the recorded API": {infrav1.PrismAPIV3, func(*infrav1.NutanixMachine) {}},
		"to the API of the state, with a spec that is not applied": {infrav1.PrismAPIV4, func(machine *infrav1.NutanixMachine) {
			machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.running()
			e.ask(infrav1.PrismAPIV4)
			e.settle()
			controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Spec.Terraform = nil })
			mutate(e, func(machine *infrav1.NutanixMachine) {
				machine.Annotations[infrav1.PrismAPIAnnotation] = "v3"
				test.change(machine)
			})
			e.Advance(time.Hour)
			e.settle()
			require.Equal(t, infrav1.PrismAPIMismatchReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
			e.ask(test.asked)
			e.settle()
			e.Advance(time.Minute)
			e.settle()
			assert.Equal(t, test.asked, infrav1.RecordedPrismAPI(e.NutanixMachine))
			assert.Empty(t, infrav1.MigratingPrismAPI(e.NutanixMachine))
			assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
			assert.Len(t, e.Prism.VMs(), 1)
		})
	}
}

// A machine can get the v4 API at the moment in which its cluster goes back to v3.
func TestV4MachineOfV3ClusterIsCreatedAndMigrated(t *testing.T) {
	e := newTestEnvironment(t)
	e.ask(infrav1.PrismAPIV3)
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Annotations[infrav1.PrismAPIAnnotation] = "v3"
	})
	metav1.SetMetaDataAnnotation(&e.NutanixMachine.ObjectMeta, infrav1.PrismAPIAnnotation, "v4")
	e.CreateMachine(e.Environment)
	for range 2 {
		e.settle()
		e.Advance(time.Minute)
	}
	e.requireMigrated(infrav1.PrismAPIV3)
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
}

// A machine of the v3 API would keep the category of the control plane, and its cluster could never leave the v4 API.
func TestControlPlaneLosesItsCategoryBeforeItIsMigratedBack(t *testing.T) {
	e := newV4Environment(t)
	e.asControlPlane()
	pair := e.makeControlPlaneCategory()
	e.setAntiAffinity(infrav1.AntiAffinityPreferred, pair)
	e.running()
	e.ask(infrav1.PrismAPIV3)
	e.setAntiAffinity(infrav1.AntiAffinityNone, pair)
	e.settle()
	assert.Equal(t, infrav1.PrismAPIV4, infrav1.RecordedPrismAPI(e.NutanixMachine))
	e.RequireFalse(e.NutanixMachine, infrav1.PrismAPIMigratedCondition, infrav1.WaitingForMigrationReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.PrismAPIMigratedCondition), "anti-affinity")
	assert.NotContains(t, e.onlyVM().CategoryUUIDs, pair)

	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		delete(cluster.Annotations, infrav1.ControlPlaneCategoryAnnotation)
	})
	e.settle()
	e.requireMigrated(infrav1.PrismAPIV3)
}

// The exported workspace must not destroy the VM of a state that is ahead of the object.
func TestRetainedStateOfOtherAPIIsExportedWithItsMigration(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.ask(infrav1.PrismAPIV4)
	e.settle()
	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Annotations[infrav1.PrismAPIAnnotation] = "v3" })
	e.withPolicy(infrav1.TerraformDeletionPolicyRetain)
	e.deleteCluster()
	e.delete()
	exports := e.exports()
	require.Len(t, exports, 1)
	files := unpack(t, exports[0].Data["workspace.tar.gz"])
	assert.Contains(t, files[renderer.MigrationFile], "from = "+renderer.MachineAddressV4)
	assert.Len(t, e.Prism.VMs(), 1)
}

func TestMigrationTurn(t *testing.T) {
	machine := func(name string, controlPlane bool, migrating infrav1.PrismAPI) infrav1.NutanixMachine {
		made := infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if controlPlane {
			made.Labels = map[string]string{clusterv1.MachineControlPlaneLabel: ""}
		}
		if migrating != "" {
			made.Annotations = map[string]string{infrav1.PrismAPIMigrationAnnotation: string(migrating)}
		}
		return made
	}
	deleted := machine("cp-2", true, "v4")
	deleted.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	workers := func(count int) []infrav1.NutanixMachine {
		var made []infrav1.NutanixMachine
		for i := range count {
			made = append(made, machine(fmt.Sprintf("w-%d", i), false, "v4"))
		}
		return made
	}
	for name, test := range map[string]struct {
		self     infrav1.NutanixMachine
		machines []infrav1.NutanixMachine
		want     string
	}{
		"alone":                             {machine("cp-1", true, ""), nil, ""},
		"itself":                            {machine("cp-1", true, "v4"), []infrav1.NutanixMachine{machine("cp-1", true, "v4")}, ""},
		"control plane after control plane": {machine("cp-1", true, ""), []infrav1.NutanixMachine{machine("cp-2", true, "v4")}, "one after the other: cp-2 is being migrated"},
		"control plane that is deleted":     {machine("cp-1", true, ""), []infrav1.NutanixMachine{deleted}, ""},
		"control plane that is done":        {machine("cp-1", true, ""), []infrav1.NutanixMachine{machine("cp-2", true, "")}, ""},
		"worker beside control plane":       {machine("w", false, ""), []infrav1.NutanixMachine{machine("cp-2", true, "v4")}, ""},
		"worker beside others":              {machine("w", false, ""), workers(maxMigrating - 1), ""},
		"too many":                          {machine("w", false, ""), workers(maxMigrating), "w-0, w-1, w-2 are being migrated"},
		"control plane with too many":       {machine("cp-1", true, ""), workers(maxMigrating), "are being migrated"},
	} {
		t.Run(name, func(t *testing.T) {
			hold := migrationTurn(&test.self, test.machines)
			if test.want == "" {
				assert.Nil(t, hold)
				return
			}
			require.NotNil(t, hold)
			assert.Equal(t, infrav1.WaitingForMigrationReason, hold.Reason)
			assert.Contains(t, hold.Message, test.want)
		})
	}
}
