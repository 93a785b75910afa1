package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/world"
)

// TestCredentialsAreRotatedWithoutRestart: Prism Central takes another password. Until the Secret has it nothing works and
// nothing is lost; then all works, in the same process.
func TestCredentialsAreRotatedWithoutRestart(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	pid := w.Manager.PID()

	w.ChangePassword()
	vm := w.VM("worker-2")
	w.Register("worker-2", vm.UUID)
	w.Service("web")
	w.LogUntil("Unauthorized")
	w.SetReady("worker-1", false)
	w.NodesStay(5, "worker-1", "worker-2")
	require.True(t, world.HasTaint(w.Node("worker-2"), uninitialized))

	w.UseNewPassword()
	w.Initialised("worker-2")
	_, address := w.Served("web")
	w.Balances("web", address, "worker-1", "worker-2")
	assert.Equal(t, pid, w.Manager.PID())
	assert.True(t, w.Manager.Running())
}

// TestConfigurationIsReloadedWithoutRestart: a good one takes effect, a bad one is reported and the old one stays.
func TestConfigurationIsReloadedWithoutRestart(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	vm := w.Join("worker-1")
	second := w.AddNIC(vm, world.VLANSubnet).IPs()[1]
	w.NodeUntil("worker-1", "to have both addresses", func(node *corev1.Node) string {
		return missing(len(world.Addresses(node, corev1.NodeInternalIP)) == 2, "it has not")
	})
	pid := w.Manager.PID()

	w.Configure(func(c *config.Config) { c.IgnoredNodeIPs = []string{second} })
	ignored := func(node *corev1.Node) string {
		return difference(vm.IPs(), world.Addresses(node, corev1.NodeInternalIP))
	}
	w.NodeUntil("worker-1", "to be without the ignored address", ignored)

	w.WriteConfig([]byte(`{"prismCentral":{"address":"","port":-1},"ignoredNodeIPs":["10.0.0.0/99"],"typo":true}`))
	for _, wrong := range []string{"prismCentral.address", "prismCentral.port", "ignoredNodeIPs[0]", "typo"} {
		w.LogUntil(wrong)
	}
	w.Throughout(10, func() string { return ignored(w.Node("worker-1")) })
	w.Configure(func(c *config.Config) { c.IgnoredNodeIPs = nil })
	w.NodeUntil("worker-1", "to have both addresses again", func(node *corev1.Node) string {
		return missing(len(world.Addresses(node, corev1.NodeInternalIP)) == 2, "it has not")
	})
	assert.Equal(t, pid, w.Manager.PID())
}
