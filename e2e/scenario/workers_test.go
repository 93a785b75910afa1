package scenario

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A cluster of the template with the addons starts with 3 workers, which go to 5 and down to 1: machines are made and destroyed
// one plan each, and those that stay are the same. The addons' objects are in the cluster.
func TestWorkersScale(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "scale")
	c.Workers = 3
	c.applyTemplate("csi")
	c.complete()
	c.hasAddons()
	three := c.workerUUIDs()

	c.scaleWorkers(`5`)
	c.complete()
	five := c.workerUUIDs()
	require.Len(t, five, 5)
	assert.Subset(t, five, three, "scaling up keeps what is there")

	c.scaleWorkers(`1`)
	c.complete()
	one := c.workerUUIDs()
	require.Len(t, one, 1)
	assert.Subset(t, five, one, "scaling down makes nothing new")
	assert.Len(t, c.vms(), 2)
	c.plansClean()
}

// A new template replaces every worker by one that is as the new template says.
func TestWorkersRollOutANewTemplate(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "rollout")
	c.Workers = 2
	c.apply()
	c.complete()
	before := c.workerUUIDs()

	c.rollOut("larger", func(spec map[string]any) { spec["memorySize"] = "6Gi" })
	say(t, "the workers have 6Gi instead of 4Gi from now on")
	c.complete()

	after := c.workerUUIDs()
	require.Len(t, after, 2)
	for _, uuid := range after {
		assert.NotContains(t, before, uuid)
	}
	for _, vm := range c.vms() {
		if strings.HasPrefix(vm.Name, c.Name+"-workers") {
			assert.EqualValues(t, 6144, vm.MemoryMiB)
		}
	}
	c.plansClean()
}

// rollOut gives the workers a new template, made from the one of the manifest.
func (c *cluster) rollOut(suffix string, change func(spec map[string]any)) {
	c.t.Helper()
	template := &unstructured.Unstructured{}
	template.SetGroupVersionKind(infrav1.GroupVersion.WithKind("NutanixMachineTemplate"))
	require.NoError(c.t, world.Env.Client.Get(c.ctx, keyOf(c.Namespace, c.Name+"-workers"), template))
	template.SetResourceVersion("")
	template.SetUID("")
	template.SetName(c.Name + "-workers-" + suffix)
	template.SetOwnerReferences(nil)
	spec, found, err := unstructured.NestedMap(template.Object, "spec", "template", "spec")
	require.NoError(c.t, err)
	require.True(c.t, found)
	change(spec)
	require.NoError(c.t, unstructured.SetNestedMap(template.Object, spec, "spec", "template", "spec"))
	require.NoError(c.t, world.Env.Client.Create(c.ctx, template))
	c.patch(&clusterv1.MachineDeployment{}, c.Name+"-workers", `{"spec":{"template":{"spec":{"infrastructureRef":{"name":"`+template.GetName()+`"}}}}}`)
}

// hasAddons proves that the ClusterResourceSets of the template brought the cloud controller manager, which runs, and the
// manifests of the CSI driver, whose image no guest can run.
func (c *cluster) hasAddons() {
	c.t.Helper()
	workload, err := world.Env.Workload(c.ctx, c.key())
	require.NoError(c.t, err)
	c.must(world.Env.Wait(c.ctx, "the addons to be installed", func(ctx context.Context) (bool, string, error) {
		ccm, driver := &appsv1.Deployment{}, &storagev1.CSIDriver{}
		if err := workload.Get(ctx, keyOf("kube-system", "capnt-ccm"), ccm); err != nil {
			return false, err.Error(), nil
		}
		if err := workload.Get(ctx, keyOf("", "csi.nutanix.com"), driver); err != nil {
			return false, err.Error(), nil
		}
		return ccm.Status.ReadyReplicas > 0, "capnt-ccm is not ready", nil
	}))
	say(c.t, "capnt-ccm runs, and the CSI driver is installed beside it")
}

func (c *cluster) scaleWorkers(replicas string) {
	c.t.Helper()
	c.patch(&clusterv1.MachineDeployment{}, c.Name+"-workers", `{"spec":{"replicas":`+replicas+`}}`)
	say(c.t, "workers to be %s", replicas)
}

func (c *cluster) workerUUIDs() []string {
	c.t.Helper()
	var uuids []string
	for _, machine := range c.workers() {
		uuids = append(uuids, machine.Status.VMUUID)
	}
	slices.Sort(uuids)
	return uuids
}
