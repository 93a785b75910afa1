package nutanixmachine

import (
	"testing"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

// pinVersion sets the version of the provider in the NutanixCluster.
func (w *world) pinVersion(version string) {
	w.T.Helper()
	controllertest.Change(w.Bed, w.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: version}
	})
}

// A machine keeps the version of its state until the owner of the cluster names another one, which plans once and changes
// nothing.
func TestMachineKeepsItsProviderVersionUntilTheOwnerChangesIt(t *testing.T) {
	w := newWorld(t)
	w.reconciler.ProviderVersions = []string{"1.9.5", "2.4.2"}
	w.running()
	version := func() string {
		assert.Equal(t, w.NutanixMachine.Status.Terraform.ProviderVersion, w.NutanixMachine.Annotations[infrav1.ProviderVersionAnnotation])
		return w.NutanixMachine.Status.Terraform.ProviderVersion
	}
	assert.Equal(t, "1.9.5", version())

	w.reconciler.ProviderVersion = "2.4.2"
	w.settle()
	assert.Equal(t, "1.9.5", version(), "another --provider-version is for new objects")
	assert.Empty(t, w.Terraform.Runs())

	w.pinVersion("2.4.2")
	w.settle()
	assert.Equal(t, "2.4.2", version())
	assert.Equal(t, "2.4.2", w.Terraform.ProviderVersion())
	assert.NotContains(t, w.Terraform.Runs(), "apply")
	assert.True(t, w.NutanixMachine.Status.Ready)

	w.pinVersion("")
	w.settle()
	assert.Equal(t, "2.4.2", version())
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Prism.VMs())
}

// If the cluster names a version that is not in the mirror, a living machine goes on with the one of its state, which is also
// the one that destroys it.
func TestUnavailableProviderVersionHarmsNoLivingMachine(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.pinVersion("2.4.2")
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.Equal(t, "1.9.5", w.NutanixMachine.Status.Terraform.ProviderVersion)
	w.delete()
	assert.True(t, w.Gone(w.NutanixMachine))
	assert.Empty(t, w.Prism.VMs())
}

func TestUnavailableProviderVersionStopsNewMachines(t *testing.T) {
	w := newWorld(t)
	w.pinVersion("2.4.2")
	w.CreateMachine(w.Bed)
	w.settle()
	w.requireFalse(infrav1.InputsResolvedCondition, infrav1.ProviderVersionUnavailableReason)
	assert.Empty(t, w.Terraform.Runs())
	w.pinVersion("")
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
}

// A manager whose mirror lacks the version of a state says so, and which versions there are.
func TestProviderVersionOfTheStateIsMissing(t *testing.T) {
	w := newWorld(t)
	w.running()
	w.reconciler.ProviderVersion = "2.4.2"
	w.settle()
	w.requireFalse(infrav1.InputsResolvedCondition, infrav1.ProviderVersionUnavailableReason)
	w.pinVersion("2.4.2")
	w.settle()
	assert.True(t, w.NutanixMachine.Status.Ready)
	assert.Equal(t, "2.4.2", w.Terraform.ProviderVersion())
}
