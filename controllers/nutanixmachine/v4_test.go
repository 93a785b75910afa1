package nutanixmachine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// newV4Environment creates a cluster that uses the v4 API, but no machine.
func newV4Environment(t *testing.T) *testEnvironment {
	t.Helper()
	t.Parallel()
	environment := controllertest.NewEnvironment(t, api)
	e := &testEnvironment{Environment: environment, Fixture: controllertest.NewFixture(environment), reconciler: &Reconciler{Dependencies: environment.Dependencies}}
	e.reconciler.ProviderVersions = []string{controllertest.V4Provider}
	e.UseV4(environment)
	e.CreateCluster(environment)
	return e
}

func category(key, value string) infrav1.NutanixCategoryIdentifier {
	return infrav1.NutanixCategoryIdentifier{Key: key, Value: value}
}

var (
	clusterCategory = controllertest.CategoryUUID(infrav1.CategoryKey, "c")
	envProd         = controllertest.CategoryUUID("env", "prod")
)

func (e *testEnvironment) onlyVM() controllertest.VM {
	e.T.Helper()
	vms := e.Prism.VMs()
	require.Len(e.T, vms, 1)
	return vms[0]
}

func TestV4MachineBecomesReadyAndIsDeleted(t *testing.T) {
	e := newV4Environment(t)
	e.Terraform.Addresses = []string{"fd00::7", "10.0.0.7"}
	e.NutanixMachine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod"), category("env", "test")}
	e.Prism.PutCategory("env", "test")
	e.running()

	envTest := controllertest.CategoryUUID("env", "test")
	assert.ElementsMatch(t, []string{clusterCategory, envProd, envTest}, e.onlyVM().CategoryUUIDs, "a key can have several values")
	assert.Equal(t, "ON", e.onlyVM().PowerState)
	assert.Equal(t, "fd00::7", e.NutanixMachine.Status.Addresses[1].Address)
	assert.Equal(t, renderer.MachineAddressV4, e.NutanixMachine.Status.Terraform.LastPlan.Changes[0].Address)
	assert.Nil(t, e.intent())
	pins := readPins(e.NutanixMachine)
	require.NotNil(t, pins)
	assert.Contains(t, pins.Categories, renderer.Ref{UUID: envTest, Name: "env=test"})

	e.Advance(time.Hour)
	e.settle()
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	e.Prism.RemoveCategory("env", "prod") // a deletion does not resolve names
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}

// The v3 API accepts one value per key. The webhook cannot know which API a cluster uses.
func TestSeveralValuesOfAKeyRequireV4(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixMachine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod"), category("env", "test")}
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.InvalidSpecReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.InputsResolvedCondition), "category env")
	assert.Empty(t, e.Prism.VMs())
}

func TestV4MachineWaitsForTheCategoryOfItsCluster(t *testing.T) {
	e := newV4Environment(t)
	e.Prism.RemoveCategory(infrav1.CategoryKey, "c")
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.CategoryNotFoundReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.InputsResolvedCondition), "category KubernetesClusterName=c of the cluster")
	e.Prism.PutCategory(infrav1.CategoryKey, "c")
	e.Advance(time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
}

// Categories of others stay, also several values of one key and categories that the account cannot see. A value of a key that the spec names
// is replaced.
func TestV4CategoriesOfOthersStay(t *testing.T) {
	e := newV4Environment(t)
	e.NutanixMachine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod")}
	e.running()
	e.Prism.PutCategory("Team", "a")
	e.Prism.PutCategory("Team", "b")
	e.Prism.PutCategory("env", "test")
	others := []string{controllertest.CategoryUUID("Team", "a"), controllertest.CategoryUUID("Team", "b"), controllertest.UUID(7, 1)}
	e.changeVM(func(vm *controllertest.VM) { vm.CategoryUUIDs = append(vm.CategoryUUIDs, others...) })
	e.Advance(time.Hour)
	e.settle()
	assert.NotContains(t, e.Terraform.Runs(), "apply", "they do not count as drift")

	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "test")}
	})
	e.settle()
	assert.Equal(t, []string{"open", "plan", "apply"}, e.Terraform.Runs(), "the plan does not wait because of several values of a key")
	assert.ElementsMatch(t, append(others, clusterCategory, controllertest.CategoryUUID("env", "test")), e.onlyVM().CategoryUUIDs)
	assert.Contains(t, readPins(e.NutanixMachine).Categories, renderer.Ref{UUID: controllertest.CategoryUUID("env", "test"), Name: "env=test"})
}

// A VM that somebody has switched off is neither switched on nor planned.
func TestV4VMStaysSwitchedOff(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	mutate(e, func(machine *infrav1.NutanixMachine) {
		machine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod")}
	})
	e.Advance(time.Hour)
	e.settle()
	e.requireFalse(infrav1.ReadyCondition, infrav1.VMPoweredOffReason)
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	assert.Equal(t, "OFF", e.onlyVM().PowerState)
}

// A create that was interrupted leaves a VM that is switched off and not in the state. It is imported and switched on, without a person.
func TestV4InterruptedCreateIsImportedAndSwitchedOn(t *testing.T) {
	e := newV4Environment(t)
	e.Terraform.Fail("power-on", &terraform.Error{Verb: "apply", Class: terraform.Transient, Message: "interrupted"})
	e.CreateMachine(e.Environment)
	e.settle()
	require.Equal(t, "OFF", e.onlyVM().PowerState)
	require.NotNil(t, e.intent())
	assert.Equal(t, e.onlyVM().UUID, e.intent().VM)
	e.Advance(time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, "ON", e.onlyVM().PowerState)
	assert.Equal(t, []string{"None"}, e.disruptions(), "no person has to approve it")
}

// disruptions returns the disruption classes of the recorded plans that change an existing VM.
func (e *testEnvironment) disruptions() []string {
	e.T.Helper()
	plans := &infrav1.NutanixPlanList{}
	require.NoError(e.T, e.Client.List(e.T.Context(), plans, client.InNamespace(e.Namespace)))
	var classes []string
	for _, plan := range plans.Items {
		if plan.Spec.Counts.Update > 0 {
			classes = append(classes, string(plan.Spec.Disruption))
		}
	}
	return classes
}

// The provider taints a VM that it could not switch on. Such a VM is neither replaced nor left off.
func TestV4TaintedVMIsSwitchedOn(t *testing.T) {
	e := newV4Environment(t)
	e.Prism.FailPowerOn(true)
	e.CreateMachine(e.Environment)
	e.settle()
	uuid := e.onlyVM().UUID
	e.Prism.FailPowerOn(false)
	e.Advance(time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, uuid, e.onlyVM().UUID)
	assert.Equal(t, "ON", e.onlyVM().PowerState)
}

// An apply that switches a VM off and on again may leave it off: it was interrupted, or the provider hides that the VM cannot be switched on.
// The next plan switches it on, without another decision.
func TestV4VMOfAnInterruptedPowerCycleIsSwitchedOn(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	require.NoError(t, newObserver(e).powerCycle(t.Context(), e.NutanixMachine.Status.VMUUID))
	e.changeVM(func(vm *controllertest.VM) { vm.PowerState = "OFF" })
	e.Prism.FailPowerOn(true)
	e.reconciler.Pipeline.Init()
	e.settle()
	e.requireFalse(infrav1.VMPoweredOnCondition, infrav1.VMPoweredOffReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.VMPoweredOnCondition), "the next plan switches it on")
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.ReadyCondition), "is off after the apply, although the provider reports success")

	e.Prism.FailPowerOn(false)
	e.Advance(10 * time.Minute)
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.Equal(t, "ON", e.onlyVM().PowerState)
	assert.NotContains(t, e.NutanixMachine.Annotations, infrav1.PowerCycleAnnotation)
	for _, class := range e.disruptions() {
		assert.Equal(t, "None", class)
	}
}

// A running VM is never power-cycled without a decision.
func TestV4ResizeWaitsForADecision(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	mutate(e, func(machine *infrav1.NutanixMachine) { machine.Spec.MemorySize = resource.MustParse("2Gi") })
	e.settle()
	assert.Equal(t, infrav1.DisruptivePlanReason, conditions.GetReason(e.NutanixMachine, infrav1.PlanRecordedCondition))
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.NotContains(t, e.Terraform.Runs(), "apply")
}

func TestObservedV4(t *testing.T) {
	machine := func(change func(*infrav1.NutanixMachine)) *infrav1.NutanixMachine {
		made := &infrav1.NutanixMachine{Spec: infrav1.NutanixMachineSpec{Categories: []infrav1.NutanixCategoryIdentifier{category("env", "prod")}}}
		made.Annotations = map[string]string{infrav1.PrismAPIAnnotation: "v4"}
		if change != nil {
			change(made)
		}
		return made
	}
	created := func(uuid string) func(*infrav1.NutanixMachine) {
		return func(machine *infrav1.NutanixMachine) { _ = setIntent(machine, &createIntent{Run: "run", VM: uuid}) }
	}
	published := func(machine *infrav1.NutanixMachine) {
		created("u")(machine)
		machine.Spec.ProviderID = "nutanix://" + vm1
	}
	for name, test := range map[string]struct {
		power    string
		machine  *infrav1.NutanixMachine
		want     string
		switchOn bool
		held     bool
	}{
		"on":                            {"ON", machine(nil), "ON", false, false},
		"unknown":                       {"", machine(nil), "UNDETERMINED", false, false},
		"off":                           {"OFF", machine(nil), "OFF", false, true},
		"off, of an interrupted create": {"OFF", machine(created("u")), "ON", true, false},
		"off, of a published create":    {"OFF", machine(published), "OFF", false, true},
		"off, not of the create":        {"OFF", machine(created("other")), "OFF", false, true},
		"off, of a power cycle": {"OFF", machine(func(machine *infrav1.NutanixMachine) {
			published(machine)
			machine.Annotations[infrav1.PowerCycleAnnotation] = "u"
		}), "ON", true, false},
		"paused": {"PAUSED", machine(created("u")), "PAUSED", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			vm := &prism.VM{UUID: "u", PowerState: test.power, Digest: "d", CategoryValues: map[string][]string{"Team": {"a", "b"}},
				AllCategories: []prism.Category{{UUID: "1", Key: "Team", Value: "a"}, {UUID: "2"}, {UUID: "3", Key: "env", Value: "test"}}}
			want := lifecycle.Observation{Found: true, Digest: "d", SwitchOn: test.switchOn,
				Files: renderer.ObservedFiles([]renderer.Ref{{UUID: "1", Name: "Team=a"}, {UUID: "2"}}, test.want)}
			if test.held {
				want.NoPlan = &plan.Hold{Reason: "VMPoweredOff", Message: powerMessage(vm, test.machine)}
			}
			assert.Equal(t, want, observed(vm, test.machine))
		})
	}
}

// The workspace can be rendered without Prism Central, because the UUIDs of the categories are pinned.
func TestV4MachineIsRenderedFromItsPins(t *testing.T) {
	e := newV4Environment(t)
	e.running()
	workspace, err := Render(e.NutanixMachine, e.NutanixCluster)
	require.NoError(t, err)
	assert.Equal(t, e.NutanixMachine.Status.Terraform.WorkspaceDigest, workspace.Digest)
	assert.Contains(t, string(workspace.Files["main.tf"]), fmt.Sprintf("%q, # KubernetesClusterName=c", clusterCategory))
	exported, err := e.reconciler.Export(t.Context(), e.NutanixMachine)
	require.NoError(t, err)
	assert.Equal(t, workspace.Digest, exported.Digest)

	e.NutanixMachine.Spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod")}
	_, err = Render(e.NutanixMachine, e.NutanixCluster)
	require.ErrorContains(t, err, "category env=prod is not resolved yet")
}

// On v4 the manager sends at most 12 requests for the first machine of a template and at most 4 for each further one, and v3 requests only for
// projects.
func TestV4MachinesOfOneTemplateShareLookUps(t *testing.T) {
	e := newV4Environment(t)
	spec := &e.NutanixMachine.Spec
	project := named("team")
	spec.Project = &project
	spec.Categories = []infrav1.NutanixCategoryIdentifier{category("env", "prod")}
	e.reconciler.HealthInterval, e.reconciler.ReadInterval = time.Hour, 2*time.Second // as in the manager
	e.CreateMachine(e.Environment)
	first := e.create(e.NutanixMachine)
	assert.LessOrEqual(t, len(withoutVersions(first)), 12)
	var machines []*infrav1.NutanixMachine
	for i := range 4 {
		machines = append(machines, e.machineLike(fmt.Sprint("m-", i)))
		machines[i].Annotations = map[string]string{infrav1.PrismAPIAnnotation: "v4"}
		require.NoError(t, e.Client.Update(t.Context(), machines[i]))
	}
	further := e.create(machines...)
	assert.LessOrEqual(t, len(withoutVersions(further)), 4*len(machines))
	for _, request := range append(first, further...) {
		assert.True(t, strings.Contains(request, "/api/") || strings.Contains(request, "projects"), request)
	}
}

// withoutVersions returns the requests without those for the versions of the API, which a client sends once.
func withoutVersions(requests []string) []string {
	var others []string
	for _, request := range requests {
		if !strings.HasPrefix(request, "OPTIONS") {
			others = append(others, request)
		}
	}
	return others
}
