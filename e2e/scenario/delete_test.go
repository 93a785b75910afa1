package scenario

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A cluster is deleted although its credentials are deleted in the same breath, and although one of its virtual machines is
// gone already.
func TestDeleteWithoutCredentialsAndWithAMissingMachine(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "deleted")
	c.Workers = 2
	c.apply()
	c.complete()

	gone := c.workers()[0]
	require.NoError(t, world.Prism.DeleteVM(gone.Status.VMUUID))
	say(t, "virtual machine of %s was deleted behind our back", gone.Name)
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = c.Namespace, "nutanix-credentials"
	require.NoError(t, world.Env.Client.Delete(c.ctx, secret))
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(t, world.Env.Client.Delete(c.ctx, object))
	say(t, "cluster and credentials were deleted")
	c.must(world.Env.WaitForGone(c.ctx, object, secret))
	require.Empty(t, c.machines())
	c.deleteApplied()
	c.nothingLeft()
	list := &infrav1.NutanixClusterList{}
	require.NoError(t, world.Env.Client.List(c.ctx, list))
	for _, cluster := range list.Items {
		require.NotEqual(t, c.Namespace, cluster.Namespace)
	}
}
