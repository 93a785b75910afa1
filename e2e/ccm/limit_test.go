package ccm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/nlb"
	"github.com/capnt/capnt/e2e/ccm/fixture"
	"github.com/capnt/capnt/e2e/prismsim"
)

// If Prism Central has reached its limit of sessions, addresses or floating IPs, an event reports which limit was
// reached. The manager serves the Service once the limit is raised.
func TestExhaustedLimitsAreReported(t *testing.T) {
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
			f := fixture.New(t, suite, fixture.Options{})
			f.Join("worker-1")
			f.CreateService("first", fixture.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
			f.WaitForAddress("first")
			f.Prism.SetNetworkRules(test.rules)
			f.CreateService("second", fixture.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
			f.WaitForEvent(f.Namespace, "second", test.reason)
			f.Prism.SetNetworkRules(prismsim.NetworkRules{})
			service, address := f.WaitForAddress("second")
			assert.Equal(t, f.FloatingIPsOf(service)[0].Address, address)
			f.WaitForSessions("second", f.ReservationsOf(service)[0].Address, "worker-1")
		})
	}
}

// It is unknown whether every Prism Central allows several sessions to share a virtual IP. If Prism Central does not
// allow it, the manager serves one port of the Service and reports the other ports in an event. Services with one port
// are not affected.
func TestPortsThatCannotShareAddress(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Prism.SetNetworkRules(prismsim.NetworkRules{ExclusiveVIP: true})
	f.Join("worker-1")
	f.CreateService("two", fixture.Ports(fixture.TCP(80), fixture.TCP(443)))
	f.CreateService("one")
	service, _ := f.WaitForAddress("two")
	f.WaitForEvent(f.Namespace, "two", nlb.ReasonSharing)
	assert.Len(t, f.Sessions(service), 1)
	refused := 0
	for _, port := range service.Status.LoadBalancer.Ingress[0].Ports {
		if port.Error != nil {
			refused++
		}
	}
	assert.Equal(t, 1, refused, "the status must report one unserved port: %v", service.Status.LoadBalancer)
	_, address := f.WaitForAddress("one")
	f.WaitForSessions("one", address, "worker-1")
	f.EditService("two", func(s *corev1.Service) { s.Spec.Ports = s.Spec.Ports[:1] })
	f.WaitForSessions("two", service.Status.LoadBalancer.Ingress[0].IP, "worker-1")
}
