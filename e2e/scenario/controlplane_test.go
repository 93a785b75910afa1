package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	controlplanev1 "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta2"
)

// Changing the Kubernetes version replaces the control plane machine. The new machine joins etcd before the old one
// is removed.
func TestControlPlaneRollsOutNewVersion(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "upgrade")
	c.Version = "v1.36.2"
	c.apply()
	c.complete()
	before := c.machines()
	require.Len(t, before, 1)

	c.patch(&controlplanev1.KubeadmControlPlane{}, c.Name, `{"spec":{"version":"v1.36.3"}}`)
	logf(t, "changed the control plane's version to v1.36.3")
	c.complete()
	after := c.machines()
	require.Len(t, after, 1)
	assert.NotEqual(t, before[0].Status.VMUUID, after[0].Status.VMUUID)
	plane := &controlplanev1.KubeadmControlPlane{}
	require.NoError(t, testStack.Env.Client.Get(c.ctx, c.key(), plane))
	assert.Equal(t, "v1.36.3", plane.Status.Version)
	c.plansClean()
}
