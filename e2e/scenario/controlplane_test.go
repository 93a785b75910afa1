package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	controlplanev1 "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta2"
)

// A new Kubernetes version replaces the control plane machine: the new one joins etcd, then the old one leaves it.
func TestControlPlaneRollsOutAVersion(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "upgrade")
	c.Version = "v1.36.2"
	c.apply()
	c.complete()
	before := c.machines()
	require.Len(t, before, 1)

	c.patch(&controlplanev1.KubeadmControlPlane{}, c.Name, `{"spec":{"version":"v1.36.3"}}`)
	say(t, "the control plane's version is to be v1.36.3")
	c.complete()
	after := c.machines()
	require.Len(t, after, 1)
	assert.NotEqual(t, before[0].Status.VMUUID, after[0].Status.VMUUID)
	plane := &controlplanev1.KubeadmControlPlane{}
	require.NoError(t, world.Env.Client.Get(c.ctx, c.key(), plane))
	assert.Equal(t, "v1.36.3", plane.Status.Version)
	c.plansClean()
}
