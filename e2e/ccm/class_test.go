package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

func class(name string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.LoadBalancerClass = &name }
}

// The framework's service controller ignores Services that have a load balancer class. CAPNT's controllers serve
// Services with a configured class, even if CAPNT is configured not to serve Services without a class. CAPNT does not
// change Services with other classes.
func TestClassChoosesTheLoadBalancer(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) { c.LoadBalancer.Type = config.LoadBalancerNone }})
	f.Join("worker-1")
	f.CreateService("ours", class(config.ClassNLB))
	f.CreateService("vlan", class(config.ClassIPAM))
	f.CreateService("foreign", class("example.com/other"))
	f.CreateService("plain")

	service, address := f.WaitForAddress("ours")
	require.NotEmpty(t, service.Finalizers)
	f.WaitForSessions("ours", address, "worker-1")
	f.WaitForService("vlan", "to be announced by kube-vip", func(s *corev1.Service) string {
		return missing(s.Annotations[fixture.KubeVIPAnnotation] != "", "it has no annotation")
	})
	f.Join("worker-2")
	f.WaitForSessions("ours", address, "worker-1", "worker-2")
	f.EditService("ours", fixture.Ports(fixture.TCP(443), fixture.UDP(443)))
	f.WaitForSessions("ours", address, "worker-1", "worker-2")

	for _, name := range []string{"foreign", "plain"} {
		service := f.GetService(name)
		assert.Empty(t, service.Status.LoadBalancer.Ingress, name)
		assert.Empty(t, f.ReservationsOf(service), name)
	}
	// The Service "plain" is not checked, because the framework adds its finalizer to every Service without a class before
	// it calls the cloud provider.
	assert.Empty(t, f.GetService("foreign").Finalizers)
	f.EditService("ours", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.LoadBalancerClass = corev1.ServiceTypeNodePort, nil
	})
	f.WaitForNoLoadBalancer("ours")
	assert.Empty(t, f.ReservationsOf(service))
	assert.Empty(t, f.Sessions(service))
}
