package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm"
	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// The password changes in Prism Central before it changes in the Secret. While the two passwords differ, requests fail
// and the manager deletes nothing. After the Secret is updated, the manager works again without a restart.
func TestCredentialsAreRotatedWithoutRestart(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	pid := f.Manager.PID()

	f.ChangePassword()
	vm := f.CreateVM("worker-2")
	f.Register("worker-2", vm.UUID)
	f.CreateService("web")
	f.WaitForLog("Unauthorized")
	f.SetReady("worker-1", false)
	f.RequireNodesStay(5, "worker-1", "worker-2")
	require.True(t, fixture.HasTaint(f.Node("worker-2"), uninitialized))

	f.UpdatePassword()
	f.WaitForInitialisedNode("worker-2")
	_, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "worker-1", "worker-2")
	assert.Equal(t, pid, f.Manager.PID())
	assert.True(t, f.Manager.Running())
}

// A Secret with an API key replaces a password that is no longer valid.
func TestAPIKeyReplacesPassword(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	pid := f.Manager.PID()
	f.ChangePassword()
	f.UseAPIKey()
	f.Join("worker-2")
	f.CreateService("web")
	_, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "worker-1", "worker-2")
	assert.Equal(t, pid, f.Manager.PID())

	requests := f.Prism.Requests()
	assert.Equal(t, "api-key", requests[len(requests)-1].User)
	f.RestartManager()
	f.Join("worker-3")
	f.WaitForSessions("web", address, "worker-1", "worker-2", "worker-3")
}

// The certificate of Prism Central is replaced by a certificate of an unknown CA. Until the trust bundle contains that
// CA, the manager sends no requests, reports the reason in an event, and deletes nothing. After the trust bundle is
// updated, the manager works again without a restart.
func TestCertificateIsRotatedWithoutRestart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		before func(*config.Config)
		trust  func(f *fixture.Fixture, bundle []byte)
	}{
		"in a ConfigMap": {
			func(c *config.Config) {
				c.PrismCentral.AdditionalTrustBundle = &config.TrustBundle{Kind: "ConfigMap", Name: fixture.TrustBundle}
			},
			(*fixture.Fixture).SetTrustBundle,
		},
		"in the configuration": {
			func(*config.Config) {},
			func(f *fixture.Fixture, bundle []byte) {
				f.Configure(func(c *config.Config) { c.PrismCentral.AdditionalTrustBundle.Data = string(bundle) })
			},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.Options{Configure: test.before})
			f.Join("worker-1")
			vm := f.CreateVM("worker-2")
			pid := f.Manager.PID()

			require.NoError(t, f.Proxy.Renew())
			f.Register("worker-2", vm.UUID)
			f.CreateService("web")
			f.SetReady("worker-1", false)
			event := f.WaitForEvent(metav1.NamespaceSystem, metav1.NamespaceSystem, ccm.ReasonCertificateRefused, "unknown authority")
			assert.Contains(t, event, "prismCentral.additionalTrustBundle")
			seen := f.Proxy.RequestCount()
			f.RequireNodesStay(10, "worker-1", "worker-2")
			assert.Equal(t, seen, f.Proxy.RequestCount(), "no request may be sent to a server with an unknown certificate")
			assert.True(t, fixture.HasTaint(f.Node("worker-2"), uninitialized))
			assert.Empty(t, f.Entities())
			_, metrics := f.Metrics(true)
			assert.Contains(t, metrics, `capnt_ccm_prism_requests_total{code="error"`)

			test.trust(f, f.Proxy.TrustBundle)
			f.WaitForInitialisedNode("worker-2")
			_, address := f.WaitForAddress("web")
			f.WaitForSessions("web", address, "worker-1", "worker-2")
			assert.Equal(t, pid, f.Manager.PID())
			assert.True(t, f.Manager.Running())
		})
	}
}

// A valid configuration takes effect at once. An invalid configuration is logged, and the manager keeps the previous
// one.
func TestConfigurationIsReloadedWithoutRestart(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	vm := f.Join("worker-1")
	second := f.AddNIC(vm, fixture.VLANSubnet).IPs()[1]
	f.WaitForNode("worker-1", "to have both addresses", func(node *corev1.Node) string {
		return missing(len(fixture.Addresses(node, corev1.NodeInternalIP)) == 2, "it has not")
	})
	pid := f.Manager.PID()

	f.Configure(func(c *config.Config) { c.IgnoredNodeIPs = []string{second} })
	ignored := func(node *corev1.Node) string {
		return difference(vm.IPs(), fixture.Addresses(node, corev1.NodeInternalIP))
	}
	f.WaitForNode("worker-1", "to be without the ignored address", ignored)

	f.WriteConfig([]byte(`{"prismCentral":{"address":"","port":-1},"ignoredNodeIPs":["10.0.0.0/99"],"typo":true}`))
	for _, wrong := range []string{"prismCentral.address", "prismCentral.port", "ignoredNodeIPs[0]", "typo"} {
		f.WaitForLog(wrong)
	}
	f.Consistently(10, func() string { return ignored(f.Node("worker-1")) })
	f.Configure(func(c *config.Config) { c.IgnoredNodeIPs = nil })
	f.WaitForNode("worker-1", "to have both addresses again", func(node *corev1.Node) string {
		return missing(len(fixture.Addresses(node, corev1.NodeInternalIP)) == 2, "it has not")
	})
	assert.Equal(t, pid, f.Manager.PID())
}
