package nutanixmachine

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// pinVersion sets the version of the provider in the NutanixCluster.
func (e *testEnvironment) pinVersion(version string) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: version}
	})
}

// A machine keeps the provider version of its state until the owner of the cluster specifies another version. The new
// version plans once, and the plan changes nothing.
func TestMachineKeepsItsProviderVersionUntilTheOwnerChangesIt(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.ProviderVersions = []string{"1.9.5", "2.4.2"}
	e.running()
	version := func() string {
		assert.Equal(t, e.NutanixMachine.Status.Terraform.ProviderVersion, e.NutanixMachine.Annotations[infrav1.ProviderVersionAnnotation])
		return e.NutanixMachine.Status.Terraform.ProviderVersion
	}
	assert.Equal(t, "1.9.5", version())

	e.reconciler.ProviderVersion = "2.4.2"
	e.settle()
	assert.Equal(t, "1.9.5", version(), "another --provider-version is for new objects")
	assert.Empty(t, e.Terraform.Runs())

	e.pinVersion("2.4.2")
	e.settle()
	assert.Equal(t, "2.4.2", version())
	assert.Equal(t, "2.4.2", e.Terraform.ProviderVersion())
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	assert.True(t, e.NutanixMachine.Status.Ready)

	e.pinVersion("")
	e.settle()
	assert.Equal(t, "2.4.2", version())
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}

// A machine records the API of its cluster before its first run, and keeps it. The machine of v0.1.0 has no annotation.
func TestMachineRecordsTheAPIOfItsCluster(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.ProviderVersions = []string{"1.9.5", "2.4.2"}
	e.running()
	assert.Equal(t, "v3", e.NutanixMachine.Annotations[infrav1.PrismAPIAnnotation])
	assert.Equal(t, infrav1.PrismAPIV3, e.NutanixMachine.Status.Terraform.API)
	files := e.files()

	controllertest.Change(e.Environment, e.NutanixMachine, func(machine *infrav1.NutanixMachine) {
		delete(machine.Annotations, infrav1.PrismAPIAnnotation)
	})
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{API: infrav1.PrismAPIV4, ProviderVersion: "2.4.2"}
	})
	e.settle()
	assert.Equal(t, "2.4.2", e.Terraform.ProviderVersion())
	assert.Equal(t, files, e.files(), "the same module")
	assert.NotContains(t, e.Terraform.Runs(), "apply")
	assert.NotContains(t, e.NutanixMachine.Annotations, infrav1.PrismAPIAnnotation)
}

// files returns the names of the files in the workspace of the last run.
func (e *testEnvironment) files() []string {
	_, files := e.Terraform.Variables()
	return slices.Sorted(maps.Keys(files))
}

// If the cluster specifies a version that is not in the mirror, existing machines keep the version of their state.
// Their deletions also use that version.
func TestUnavailableProviderVersionKeepsExistingMachines(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.pinVersion("2.4.2")
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Equal(t, "1.9.5", e.NutanixMachine.Status.Terraform.ProviderVersion)
	e.delete()
	assert.True(t, e.Gone(e.NutanixMachine))
	assert.Empty(t, e.Prism.VMs())
}

func TestUnavailableProviderVersionStopsNewMachines(t *testing.T) {
	e := newTestEnvironment(t)
	e.pinVersion("2.4.2")
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.ProviderVersionUnavailableReason)
	assert.Empty(t, e.Terraform.Runs())
	e.pinVersion("")
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
}

// If the mirror lacks the version of a state, the message lists that version and the versions in the mirror.
func TestMissingProviderVersionOfTheStateIsReported(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	e.reconciler.ProviderVersion = "2.4.2"
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.ProviderVersionUnavailableReason)
	e.pinVersion("2.4.2")
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.Equal(t, "2.4.2", e.Terraform.ProviderVersion())
}
