package scenario

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// A cluster that is based on a ClusterClass is changed only through its Cluster. Adding workers does not replace
// existing workers, and changing the memory replaces all workers.
func TestClusterClassScalesAndResizesWorkers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "topology")
	c.Workers = 1
	c.applyFile("testdata/topology.yaml")
	c.complete()
	before := c.workerUUIDs()
	require.Len(t, before, 1)
	assertNoSecretLeaks(t)

	c.resize(func(topology *clusterv1.Topology) {
		topology.Workers.MachineDeployments[0].Replicas = ptr.To[int32](2)
	})
	logf(t, "changed the number of workers from 1 to 2")
	c.complete()
	assert.Subset(t, c.workerUUIDs(), before)
	require.Len(t, c.workerUUIDs(), 2)

	c.resize(func(topology *clusterv1.Topology) {
		topology.Variables[0].Value = apiextensionsv1.JSON{Raw: []byte(`"6Gi"`)}
	})
	logf(t, "changed the memory from 4Gi to 6Gi")
	c.complete()
	after := c.workerUUIDs()
	require.Len(t, after, 2)
	for _, uuid := range after {
		assert.NotContains(t, before, uuid)
		assert.EqualValues(t, 6144, c.vmOf(uuid).MemoryMiB)
	}
	c.plansClean()
}

// resize changes the topology of the Cluster. It retries conflicts, because controllers also update the Cluster.
func (c *cluster) resize(change func(*clusterv1.Topology)) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "Cluster "+c.Name+" to be changed", func(ctx context.Context) (bool, string, error) {
		object := &clusterv1.Cluster{}
		if err := testStack.Env.Client.Get(ctx, c.key(), object); err != nil {
			return false, "", err
		}
		change(&object.Spec.Topology)
		err := testStack.Env.Client.Update(ctx, object)
		if apierrors.IsConflict(err) {
			return false, err.Error(), nil
		}
		return true, "", err
	}))
}
