package scenario

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clusterv1beta1 "sigs.k8s.io/cluster-api/api/core/v1beta1"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/internal/providerid"
)

// The manifest that users have today, applied unchanged but for addresses, becomes a cluster of 3 + 3 machines. It reads
// back through the v1beta1 API that it was written in, every machine is what Prism Central has, and a machine of each shape plans
// clean. Deleted in one breath with its credentials, it leaves nothing.
func TestSampleManifestBecomesAvailable(t *testing.T) {
	objects, err := env.LoadManifest(filepath.Join(world.Options().Repository, "e2e/demo/testdata/my-nutanix-cluster.yaml"))
	require.NoError(t, err)
	c := newCluster(t, "my-nutanix-cluster")
	c.Namespace = "default"
	c.applyObjects(objects)
	c.complete()
	require.Len(t, c.machines(), 6)
	require.Len(t, c.vms(), 6)

	old := &clusterv1beta1.Cluster{}
	require.NoError(t, world.Env.Client.Get(c.ctx, c.key(), old))
	assert.Equal(t, "infrastructure.cluster.x-k8s.io/v1beta1", old.Spec.InfrastructureRef.APIVersion)
	assert.Equal(t, string(clusterv1beta1.ClusterPhaseProvisioned), old.Status.Phase)
	assert.True(t, old.Status.InfrastructureReady)
	assert.True(t, old.Status.ControlPlaneReady)
	say(t, "read back through v1beta1: phase %s", old.Status.Phase)

	c.machinesAreVMs()
	c.nodesAreInitialized()
	c.everyChangeWasPlanned()
	c.plansClean()
	secretsStayInside(t)

	c.deleteApplied()
	say(t, "deleted all %d objects at once, the credentials too", len(c.applied))
	c.removeKeepingNamespace()
}

// machinesAreVMs proves that what is published of each machine is what Prism Central has.
func (c *cluster) machinesAreVMs() {
	c.t.Helper()
	byUUID := map[string]string{}
	for _, vm := range c.vms() {
		byUUID[vm.UUID] = vm.Name + " " + strings.Join(vm.NICs[0].IPs, " ")
	}
	for _, machine := range c.machines() {
		uuid, ok := providerid.Parse(machine.Spec.ProviderID)
		require.True(c.t, ok, machine.Spec.ProviderID)
		assert.Equal(c.t, uuid, machine.Status.VMUUID)
		assert.True(c.t, machine.Status.Ready)
		require.NotNil(c.t, machine.Status.Initialization.Provisioned)
		require.Len(c.t, machine.Status.Addresses, 2)
		assert.Equal(c.t, byUUID[uuid], machine.Status.Addresses[0].Address+" "+machine.Status.Addresses[1].Address)
	}
}

// nodesAreInitialized proves that the cloud controller manager told every Node which machine it is, and where. Guests register
// without a provider ID and with the taint.
func (c *cluster) nodesAreInitialized() {
	c.t.Helper()
	addresses := map[string]string{}
	for _, machine := range c.machines() {
		addresses[machine.Spec.ProviderID] = machine.Status.Addresses[1].Address
	}
	nodes, err := world.WaitNodes(c.ctx, c.key())
	c.must(err)
	require.Len(c.t, nodes, len(addresses))
	for _, node := range nodes {
		require.Contains(c.t, addresses, node.Spec.ProviderID)
		assert.ElementsMatch(c.t, []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: node.Name}, {Type: corev1.NodeInternalIP, Address: addresses[node.Spec.ProviderID]},
		}, node.Status.Addresses)
		assert.Equal(c.t, "ahv-vm", node.Labels[corev1.LabelInstanceTypeStable])
		assert.Equal(c.t, "nutanix-cluster-1", node.Labels[corev1.LabelTopologyZone])
		assert.NotEmpty(c.t, node.Labels[corev1.LabelTopologyRegion])
	}
	say(c.t, "capnt-ccm initialised all %d Nodes", len(nodes))
}

// everyChangeWasPlanned proves that each machine has the summary of the plan that made it, as status and as events.
func (c *cluster) everyChangeWasPlanned() {
	c.t.Helper()
	for _, machine := range c.machines() {
		require.NotNil(c.t, machine.Status.Terraform, machine.Name)
		require.NotNil(c.t, machine.Status.Terraform.LastPlan, machine.Name)
		assert.EqualValues(c.t, 1, machine.Status.Terraform.LastPlan.Create)
		assert.Equal(c.t, "module.machine.nutanix_virtual_machine.this", machine.Status.Terraform.LastPlan.Changes[0].Address)
		c.told(machine.Name, "Planned", "Applied")
	}
}
