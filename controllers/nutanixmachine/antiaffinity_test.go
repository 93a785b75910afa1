package nutanixmachine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/controllers/provisioning"
)

// setAntiAffinity sets the anti-affinity of the control plane. uuid is the UUID of the category that the controller of the NutanixCluster
// publishes.
func (e *testEnvironment) setAntiAffinity(wanted infrav1.AntiAffinity, uuid string) {
	e.T.Helper()
	controllertest.Change(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) {
		cluster.Spec.ControlPlaneAntiAffinity = wanted
		cluster.Annotations[infrav1.ControlPlaneCategoryAnnotation] = uuid
	})
}

// makeControlPlaneCategory creates the category of the control plane and returns its UUID.
func (e *testEnvironment) makeControlPlaneCategory() string {
	value := provisioning.ControlPlaneCategoryValue(e.NutanixCluster)
	e.Prism.PutCategory(infrav1.ControlPlaneCategoryKey, value)
	return controllertest.CategoryUUID(infrav1.ControlPlaneCategoryKey, value)
}

func (e *testEnvironment) asControlPlane() {
	e.Machine.Labels[clusterv1.MachineControlPlaneLabel] = ""
}

// Prism Central chooses the host when it switches a VM on, so a VM has the category from its creation.
func TestNewControlPlaneMachineWaitsForItsCategory(t *testing.T) {
	e := newV4Environment(t)
	e.asControlPlane()
	e.setAntiAffinity(infrav1.AntiAffinityPreferred, "")
	e.CreateMachine(e.Environment)
	e.settle()
	e.requireFalse(infrav1.InputsResolvedCondition, infrav1.CategoryNotFoundReason)
	assert.Contains(t, conditions.GetMessage(e.NutanixMachine, infrav1.InputsResolvedCondition), "NutanixCluster c creates it")
	assert.Empty(t, e.Prism.VMs())

	pair := e.makeControlPlaneCategory()
	e.setAntiAffinity(infrav1.AntiAffinityPreferred, pair)
	e.Advance(time.Minute)
	e.settle()
	require.True(t, e.NutanixMachine.Status.Ready, "%+v", e.NutanixMachine.Status.Conditions)
	assert.ElementsMatch(t, []string{clusterCategory, pair}, e.onlyVM().CategoryUUIDs)
	workspace, err := Render(e.NutanixMachine, e.NutanixCluster)
	require.NoError(t, err)
	assert.Contains(t, string(workspace.Files["main.tf"]), pair)
	e.delete()
	assert.Empty(t, e.Prism.VMs())
}

// A living machine stays ready, gets and loses the category with an update of class None, and stays switched on.
func TestRunningControlPlaneMachineGetsAndLosesItsCategory(t *testing.T) {
	e := newV4Environment(t)
	e.asControlPlane()
	e.running()
	e.setAntiAffinity(infrav1.AntiAffinityPreferred, "")
	e.settle()
	assert.True(t, e.NutanixMachine.Status.Ready, "it does not wait for the category")
	assert.NotContains(t, e.Terraform.Runs(), "apply")

	pair := e.makeControlPlaneCategory()
	e.setAntiAffinity(infrav1.AntiAffinityPreferred, pair)
	e.settle()
	assert.Contains(t, e.Terraform.Runs(), "apply")
	assert.ElementsMatch(t, []string{clusterCategory, pair}, e.onlyVM().CategoryUUIDs)
	assert.Equal(t, "ON", e.onlyVM().PowerState)
	e.settle()
	assert.Empty(t, e.Terraform.Runs(), "nothing is left to do")

	e.setAntiAffinity(infrav1.AntiAffinityNone, pair)
	e.settle()
	assert.Equal(t, []string{clusterCategory}, e.onlyVM().CategoryUUIDs)
	assert.True(t, e.NutanixMachine.Status.Ready)
	assert.NotContains(t, e.disruptions(), "PowerCycle")
}

func TestWorkerHasNoCategoryOfTheControlPlane(t *testing.T) {
	e := newV4Environment(t)
	e.setAntiAffinity(infrav1.AntiAffinityPreferred, e.makeControlPlaneCategory())
	e.running()
	assert.Equal(t, []string{clusterCategory}, e.onlyVM().CategoryUUIDs)
}
