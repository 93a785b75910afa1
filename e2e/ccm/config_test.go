package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm"
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

// TestAPIKeyTakesThePlaceOfAPassword: the password is none any more, and the Secret has the key of a service account instead.
func TestAPIKeyTakesThePlaceOfAPassword(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	pid := w.Manager.PID()
	w.ChangePassword()
	w.UseAPIKey()
	w.Join("worker-2")
	w.Service("web")
	_, address := w.Served("web")
	w.Balances("web", address, "worker-1", "worker-2")
	assert.Equal(t, pid, w.Manager.PID())

	requests := w.Prism.Requests()
	assert.Equal(t, "api-key", requests[len(requests)-1].User)
	w.RestartManager()
	w.Join("worker-3")
	w.Balances("web", address, "worker-1", "worker-2", "worker-3")
}

// TestCertificateIsRotatedWithoutRestart: Prism Central gets a certificate of another authority. Until the bundle has that
// one nothing is sent, it is said why, and nothing is lost; then all works, in the same process.
func TestCertificateIsRotatedWithoutRestart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		before func(*config.Config)
		trust  func(w *world.World, bundle []byte)
	}{
		"in a ConfigMap": {
			func(c *config.Config) {
				c.PrismCentral.AdditionalTrustBundle = &config.TrustBundle{Kind: "ConfigMap", Name: world.TrustBundle}
			},
			(*world.World).Trust,
		},
		"in the configuration": {
			func(*config.Config) {},
			func(w *world.World, bundle []byte) {
				w.Configure(func(c *config.Config) { c.PrismCentral.AdditionalTrustBundle.Data = string(bundle) })
			},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{Configure: test.before})
			w.Join("worker-1")
			vm := w.VM("worker-2")
			pid := w.Manager.PID()

			require.NoError(t, w.Proxy.Renew())
			w.Register("worker-2", vm.UUID)
			w.Service("web")
			w.SetReady("worker-1", false)
			told := w.EventUntil(metav1.NamespaceSystem, metav1.NamespaceSystem, ccm.ReasonCertificateRefused, "unknown authority")
			assert.Contains(t, told, "prismCentral.additionalTrustBundle")
			seen := w.Proxy.Seen()
			w.NodesStay(10, "worker-1", "worker-2")
			assert.Equal(t, seen, w.Proxy.Seen(), "nothing is sent to whoever has an unknown certificate")
			assert.True(t, world.HasTaint(w.Node("worker-2"), uninitialized))
			assert.Empty(t, w.Pieces())
			_, metrics := w.Metrics(true)
			assert.Contains(t, metrics, `capnt_ccm_prism_requests_total{code="error"`)

			test.trust(w, w.Proxy.TrustBundle)
			w.Initialised("worker-2")
			_, address := w.Served("web")
			w.Balances("web", address, "worker-1", "worker-2")
			assert.Equal(t, pid, w.Manager.PID())
			assert.True(t, w.Manager.Running())
		})
	}
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
