package scenario

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A cluster can be deleted even if its credentials are deleted at the same time and one of its VMs no longer exists.
func TestClusterIsDeleted_WithoutCredentialsAndWithMissingVM(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "deleted")
	c.Workers = 2
	c.apply()
	c.complete()

	gone := c.workers()[0]
	require.NoError(t, testStack.Prism.DeleteVM(gone.Status.VMUUID))
	logf(t, "deleted the VM of %s in Prism Central", gone.Name)
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = c.Namespace, "nutanix-credentials"
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, secret))
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, object))
	logf(t, "cluster and credentials were deleted")
	c.must(testStack.Env.WaitForGone(c.ctx, object, secret))
	require.Empty(t, c.machines())
	c.deleteApplied()
	c.requireNothingLeft()
	list := &infrav1.NutanixClusterList{}
	require.NoError(t, testStack.Env.Client.List(c.ctx, list))
	for _, cluster := range list.Items {
		require.NotEqual(t, c.Namespace, cluster.Namespace)
	}
}

// kubectl delete namespace destroys the VMs of the clusters in the namespace and ends. Nobody removes a finalizer.
func TestNamespaceWithClustersIsDeleted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "namespaced")
	c.Workers = 1
	c.apply()
	c.complete()
	namespace := &corev1.Namespace{}
	namespace.Name = c.Namespace
	require.NoError(t, testStack.Env.Client.Delete(c.ctx, namespace))
	logf(t, "deleted the namespace")
	c.must(testStack.Env.WaitForGone(c.ctx, namespace))
	logf(t, "the namespace is gone")
	require.Empty(t, c.vms())
	c.requireNothingLeft()
}
