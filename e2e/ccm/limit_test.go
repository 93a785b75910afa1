package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/nlb"
	"github.com/capnt/capnt/e2e/ccm/world"
	"github.com/capnt/capnt/e2e/prismsim"
)

// TestLimitsAreToldAndWaitedFor: when something is used up, an Event says what, nothing is left half done that somebody
// else could need, and the Service is served as soon as there is room.
func TestLimitsAreToldAndWaitedFor(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		rules  prismsim.NetworkRules
		reason string
	}{
		"sessions":     {prismsim.NetworkRules{MaxLoadBalancerSessions: 1}, nlb.ReasonSessionsExhausted},
		"addresses":    {prismsim.NetworkRules{MaxReservedIPs: 1}, nlb.ReasonAddressesExhausted},
		"floating IPs": {prismsim.NetworkRules{MaxFloatingIPs: 1}, nlb.ReasonFloatingIPsExhausted},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{})
			w.Join("worker-1")
			w.Service("first", world.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
			w.Served("first")
			w.Prism.SetNetworkRules(test.rules)
			w.Service("second", world.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
			w.EventUntil(w.Namespace, "second", test.reason)
			w.Prism.SetNetworkRules(prismsim.NetworkRules{})
			service, address := w.Served("second")
			assert.Equal(t, w.FloatingIPsOf(service)[0].Address, address)
			w.Balances("second", w.ReservationsOf(service)[0].Address, "worker-1")
		})
	}
}

// TestPortsThatCannotShareAnAddress: it is not known whether every Prism Central lets sessions share a virtual IP. Where it
// does not, one port is served and an Event says which are not; a Service with one port is as good as ever.
func TestPortsThatCannotShareAnAddress(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Prism.SetNetworkRules(prismsim.NetworkRules{ExclusiveVIP: true})
	w.Join("worker-1")
	w.Service("two", world.Ports(world.TCP(80), world.TCP(443)))
	w.Service("one")
	service, _ := w.Served("two")
	w.EventUntil(w.Namespace, "two", nlb.ReasonSharing)
	assert.Len(t, w.Sessions(service), 1)
	refused := 0
	for _, port := range service.Status.LoadBalancer.Ingress[0].Ports {
		if port.Error != nil {
			refused++
		}
	}
	assert.Equal(t, 1, refused, "the status says which port is not served: %v", service.Status.LoadBalancer)
	_, address := w.Served("one")
	w.Balances("one", address, "worker-1")
	w.EditService("two", func(s *corev1.Service) { s.Spec.Ports = s.Spec.Ports[:1] })
	w.Balances("two", service.Status.LoadBalancer.Ingress[0].IP, "worker-1")
}
