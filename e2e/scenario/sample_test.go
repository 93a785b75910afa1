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
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/providerid"
)

// Only the addresses of the sample manifest are changed. The manifest must become an Available cluster with three
// control plane machines and three workers, whose objects can be read through Cluster API's v1beta1 API. When the
// cluster and its credentials are deleted at the same time, no object, VM or state may be left.
func TestSampleManifestBecomesAvailable(t *testing.T) {
	objects, err := env.LoadManifest(filepath.Join(testStack.Options().Repository, "e2e/demo/testdata/my-nutanix-cluster.yaml"))
	require.NoError(t, err)
	before := len(testStack.Prism.Requests())
	c := newCluster(t, "my-nutanix-cluster")
	c.Namespace = "default"
	c.applyObjects(objects)
	c.complete()
	require.Len(t, c.machines(), 6)
	require.Len(t, c.vms(), 6)

	old := &clusterv1beta1.Cluster{}
	require.NoError(t, testStack.Env.Client.Get(c.ctx, c.key(), old))
	assert.Equal(t, "infrastructure.cluster.x-k8s.io/v1beta1", old.Spec.InfrastructureRef.APIVersion)
	assert.Equal(t, string(clusterv1beta1.ClusterPhaseProvisioned), old.Status.Phase)
	assert.True(t, old.Status.InfrastructureReady)
	assert.True(t, old.Status.ControlPlaneReady)
	logf(t, "read back through v1beta1: phase %s", old.Status.Phase)

	c.assertMachinesMatchVMs()
	c.requireNodesInitialized()
	c.requirePlanSummaries()
	c.plansClean()
	assertNoSecretLeaks(t)

	c.deleteApplied()
	logf(t, "deleted all %d objects including the credentials", len(c.applied))
	c.removeKeepingNamespace()
	requireOnlyV4(t, testStack.Prism.Requests()[before:])
}

// requireOnlyV4 requires that all requests of the manager use the v4 API if the clusters use it, except those for projects, which have no v4
// API. Guests and the scenario do not send requests to Prism Central.
func requireOnlyV4(t *testing.T, requests []prismsim.Request) {
	t.Helper()
	if !stack.UsesV4() {
		return
	}
	for _, request := range requests {
		isV3 := !strings.HasPrefix(request.Path, "/api/") || strings.HasPrefix(request.Path, "/api/nutanix/")
		assert.False(t, isV3 && !strings.HasPrefix(request.Path, "/api/nutanix/v3/projects"), "%s %s of %s", request.Method, request.Path, request.Agent)
	}
	logf(t, "none of %d requests used the v3 API, except for projects", len(requests))
}

// assertMachinesMatchVMs checks that the provider ID and the addresses of each NutanixMachine match its VM.
func (c *cluster) assertMachinesMatchVMs() {
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

// requireNodesInitialized waits until the cloud controller manager has set the provider ID, the addresses and the
// labels of every Node. Guests register their Nodes without a provider ID and with the uninitialized taint.
func (c *cluster) requireNodesInitialized() {
	c.t.Helper()
	addresses := map[string]string{}
	for _, machine := range c.machines() {
		addresses[machine.Spec.ProviderID] = machine.Status.Addresses[1].Address
	}
	nodes, err := testStack.WaitNodes(c.ctx, c.key())
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
	logf(c.t, "capnt-ccm initialised all %d Nodes", len(nodes))
}

// requirePlanSummaries requires that the status and the events of each machine report the plan that created its VM.
func (c *cluster) requirePlanSummaries() {
	c.t.Helper()
	for _, machine := range c.machines() {
		require.NotNil(c.t, machine.Status.Terraform, machine.Name)
		require.NotNil(c.t, machine.Status.Terraform.LastPlan, machine.Name)
		assert.EqualValues(c.t, 1, machine.Status.Terraform.LastPlan.Create)
		assert.Equal(c.t, stack.API().MachineAddress(), machine.Status.Terraform.LastPlan.Changes[0].Address)
		c.waitForEvents(machine.Name, "Planned", "Applied")
	}
}
