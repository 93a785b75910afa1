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

// A cluster from the template with the CSI driver starts with 3 workers, is scaled up to 5, and is then scaled down to
// 1. Scaling must not replace existing workers. The addons must be installed in the workload cluster.
func TestWorkersScale(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "scale")
	c.Workers = 3
	c.applyTemplate("csi")
	c.complete()
	c.waitForAddons()
	three := c.workerUUIDs()

	c.scaleWorkers(`5`)
	c.complete()
	five := c.workerUUIDs()
	require.Len(t, five, 5)
	assert.Subset(t, five, three, "scaling up must keep the existing workers")

	c.scaleWorkers(`1`)
	c.complete()
	one := c.workerUUIDs()
	require.Len(t, one, 1)
	assert.Subset(t, five, one, "scaling down must not create workers")
	assert.Len(t, c.vms(), 2)
	c.plansClean()
}

// A new machine template replaces all workers.
func TestWorkersRollOutNewTemplate(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "rollout")
	c.Workers = 2
	c.apply()
	c.complete()
	before := c.workerUUIDs()

	c.rollOut("larger", func(spec map[string]any) { spec["memorySize"] = "6Gi" })
	logf(t, "changed the workers' memory from 4Gi to 6Gi")
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

// rollOut creates a changed copy of the workers' machine template and sets the copy in the MachineDeployment.
func (c *cluster) rollOut(suffix string, change func(spec map[string]any)) {
	c.t.Helper()
	template := &unstructured.Unstructured{}
	template.SetGroupVersionKind(infrav1.GroupVersion.WithKind("NutanixMachineTemplate"))
	require.NoError(c.t, testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, c.Name+"-workers"), template))
	template.SetResourceVersion("")
	template.SetUID("")
	template.SetName(c.Name + "-workers-" + suffix)
	template.SetOwnerReferences(nil)
	spec, found, err := unstructured.NestedMap(template.Object, "spec", "template", "spec")
	require.NoError(c.t, err)
	require.True(c.t, found)
	change(spec)
	require.NoError(c.t, unstructured.SetNestedMap(template.Object, spec, "spec", "template", "spec"))
	require.NoError(c.t, testStack.Env.Client.Create(c.ctx, template))
	c.patch(&clusterv1.MachineDeployment{}, c.Name+"-workers", `{"spec":{"template":{"spec":{"infrastructureRef":{"name":"`+template.GetName()+`"}}}}}`)
}

// waitForAddons waits until the ClusterResourceSets of the template have installed the cloud controller manager and the
// CSI driver. It requires only the cloud controller manager to run, because guests cannot run the image of the CSI
// driver.
func (c *cluster) waitForAddons() {
	c.t.Helper()
	workload, err := testStack.Env.Workload(c.ctx, c.key())
	require.NoError(c.t, err)
	c.must(testStack.Env.Wait(c.ctx, "the addons to be installed", func(ctx context.Context) (bool, string, error) {
		ccm, driver := &appsv1.Deployment{}, &storagev1.CSIDriver{}
		if err := workload.Get(ctx, keyOf("kube-system", "capnt-ccm"), ccm); err != nil {
			return false, err.Error(), nil
		}
		if err := workload.Get(ctx, keyOf("", "csi.nutanix.com"), driver); err != nil {
			return false, err.Error(), nil
		}
		return ccm.Status.ReadyReplicas > 0, "capnt-ccm is not ready", nil
	}))
	logf(c.t, "capnt-ccm is ready and the CSI driver is installed")
}

func (c *cluster) scaleWorkers(replicas string) {
	c.t.Helper()
	c.patch(&clusterv1.MachineDeployment{}, c.Name+"-workers", `{"spec":{"replicas":`+replicas+`}}`)
	logf(c.t, "scaled the workers to %s", replicas)
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
