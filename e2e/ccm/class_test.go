package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/world"
)

func class(name string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.LoadBalancerClass = &name }
}

// TestClassChoosesTheLoadBalancer: the framework's controller leaves Services with a class alone; ours serves those of its
// classes, also when Services without one are not served at all, and nobody else's.
func TestClassChoosesTheLoadBalancer(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Configure: func(c *config.Config) { c.LoadBalancer.Type = config.LoadBalancerNone }})
	w.Join("worker-1")
	w.Service("ours", class(config.ClassNLB))
	w.Service("vlan", class(config.ClassIPAM))
	w.Service("foreign", class("example.com/other"))
	w.Service("plain")

	service, address := w.Served("ours")
	require.NotEmpty(t, service.Finalizers)
	w.Balances("ours", address, "worker-1")
	w.ServiceUntil("vlan", "to be announced by kube-vip", func(s *corev1.Service) string {
		return missing(s.Annotations[world.KubeVIPAnnotation] != "", "it has no annotation")
	})
	w.Join("worker-2")
	w.Balances("ours", address, "worker-1", "worker-2")
	w.EditService("ours", world.Ports(world.TCP(443), world.UDP(443)))
	w.Balances("ours", address, "worker-1", "worker-2")

	for _, name := range []string{"foreign", "plain"} {
		service := w.ReadService(name)
		assert.Empty(t, service.Status.LoadBalancer.Ingress, name)
		assert.Empty(t, w.ReservationsOf(service), name)
	}
	// The framework puts its finalizer on Services without a class before it asks whether they are served here.
	assert.Empty(t, w.ReadService("foreign").Finalizers)
	w.EditService("ours", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.LoadBalancerClass = corev1.ServiceTypeNodePort, nil
	})
	w.Unserved("ours")
	assert.Empty(t, w.ReservationsOf(service))
	assert.Empty(t, w.Sessions(service))
}
