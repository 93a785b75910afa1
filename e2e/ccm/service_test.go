package ccm

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// A Service gets one session per port. All its sessions have the same reserved address, and their targets are the node
// ports of all Nodes. After every test, the fixture checks that deleted Services leave no entities in Prism Central.
func TestServiceIsServed(t *testing.T) {
	withBothAnswers(t, fixture.Options{}, func(f *fixture.Fixture) {
		t := f.T()
		f.Join("worker-1")
		f.Join("worker-2")
		cases := map[string][]corev1.ServicePort{
			"tcp":                       {fixture.TCP(80)},
			"udp":                       {fixture.UDP(53)},
			"tcp-and-udp-on-one-port":   {fixture.TCP(53), fixture.UDP(53)},
			"several-ports":             {fixture.TCP(80), fixture.TCP(443), fixture.UDP(8443)},
			"a-port-with-a-long-number": {fixture.TCP(65535)},
		}
		for name := range cases {
			f.CreateService(name, fixture.Ports(cases[name]...))
		}
		addresses := map[string]string{}
		for name := range cases {
			service, address := f.WaitForAddress(name)
			f.WaitForSessions(name, address, "worker-1", "worker-2")
			assert.Equal(t, []fixture.Reservation{{Address: address, Context: f.ReservationContext(service)}}, f.ReservationsOf(service))
			assert.Empty(t, addresses[address], "two Services must not share an address")
			addresses[address] = name
			require.Len(t, service.Status.LoadBalancer.Ingress, 1)
			assert.Equal(t, corev1.LoadBalancerIPModeVIP, *service.Status.LoadBalancer.Ingress[0].IPMode)
		}
	})
}

// A Service can request an address with the annotation or with the deprecated field spec.loadBalancerIP.
func TestServiceGetsRequestedAddress(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("annotated", fixture.Annotate(loadbalancer.AnnotationAddress, "10.11.0.200"))
	f.CreateService("field", func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.11.0.201" })
	for name, want := range map[string]string{"annotated": "10.11.0.200", "field": "10.11.0.201"} {
		_, address := f.WaitForAddress(name)
		assert.Equal(t, want, address)
		f.WaitForSessions(name, want, "worker-1")
	}
}

// Two Services request the same address. One Service gets the address, and an event of the other Service reports that
// the address is taken. The other Service gets the address after the first one is deleted.
func TestTwoServicesRequestSameAddress(t *testing.T) {
	withBothAnswers(t, fixture.Options{}, func(f *fixture.Fixture) {
		t := f.T()
		f.Join("worker-1")
		const wanted = "10.11.0.210"
		names := []string{"one", "two"}
		for _, name := range names {
			f.CreateService(name, fixture.Annotate(loadbalancer.AnnotationAddress, wanted))
		}
		winner := ""
		f.WaitFor("one Service to get the address", func() string {
			for _, name := range names {
				if len(f.GetService(name).Status.LoadBalancer.Ingress) > 0 {
					winner = name
				}
			}
			return missing(winner != "", "none has")
		})
		loser := names[1-slices.Index(names, winner)]
		f.WaitForEvent(f.Namespace, loser, wanted)
		f.WaitForSessions(winner, wanted, "worker-1")
		assert.Empty(t, f.Sessions(f.GetService(loser)))
		assert.Empty(t, f.ReservationsOf(f.GetService(loser)))

		f.DeleteService(winner)
		f.WaitForServiceDeleted(winner)
		_, address := f.WaitForAddress(loser)
		assert.Equal(t, wanted, address)
		f.WaitForSessions(loser, wanted, "worker-1")
	})
}

// The targets change when a Node joins, is excluded by a label, is included again, and is deleted.
func TestTargetsFollowNodes(t *testing.T) {
	withBothAnswers(t, fixture.Options{}, func(f *fixture.Fixture) {
		t := f.T()
		f.Join("worker-1")
		f.CreateService("web", fixture.Ports(fixture.TCP(80), fixture.UDP(80)))
		_, address := f.WaitForAddress("web")
		f.WaitForSessions("web", address, "worker-1")

		gone := f.Join("worker-2")
		f.WaitForSessions("web", address, "worker-1", "worker-2")
		f.EditNode("worker-1", func(n *corev1.Node) { n.Labels[corev1.LabelNodeExcludeBalancers] = "true" })
		f.WaitForSessions("web", address, "worker-2")
		f.EditNode("worker-1", func(n *corev1.Node) { delete(n.Labels, corev1.LabelNodeExcludeBalancers) })
		f.WaitForSessions("web", address, "worker-1", "worker-2")
		require.NoError(t, f.Prism.DeleteVM(gone.UUID))
		f.SetReady("worker-2", false)
		f.WaitForNodeDeleted("worker-2")
		f.WaitForSessions("web", address, "worker-1")
	})
}

func TestNodeSelectorLimitsTargets(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.Join("edge-1")
	f.EditNode("edge-1", func(n *corev1.Node) { n.Labels["role"] = "edge" })
	f.CreateService("web", fixture.Annotate(loadbalancer.AnnotationNodeSelector, "role=edge"))
	_, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "edge-1")
	f.EditService("web", func(s *corev1.Service) { delete(s.Annotations, loadbalancer.AnnotationNodeSelector) })
	f.WaitForSessions("web", address, "edge-1", "worker-1")
}

// The address does not change when ports are added, changed or removed, or when the protocol changes.
func TestAddressStaysWhenPortsChange(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("web", fixture.Ports(fixture.TCP(80)))
	_, address := f.WaitForAddress("web")
	for _, ports := range [][]corev1.ServicePort{
		{fixture.TCP(80), fixture.TCP(443)},
		{fixture.TCP(80), fixture.TCP(8443)},
		{fixture.UDP(80), fixture.TCP(8443)},
		{fixture.UDP(80)},
	} {
		f.EditService("web", fixture.Ports(ports...))
		f.WaitForSessions("web", address, "worker-1")
		_, now := f.WaitForAddress("web")
		require.Equal(t, address, now)
	}
}

// Changing the type of a Service from LoadBalancer to NodePort deletes the load balancer. Changing the type back
// creates a new load balancer.
func TestServiceTypeChanges(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("web", fixture.Ports(fixture.TCP(80), fixture.UDP(80)))
	for range 2 {
		_, address := f.WaitForAddress("web")
		f.WaitForSessions("web", address, "worker-1")
		f.EditService("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort })
		f.WaitForNoLoadBalancer("web")
		assert.Empty(t, f.Entities())
		f.EditService("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
	}
	f.WaitForAddress("web")
}

// The load balancer of a Service changes from a network load balancer to an address that kube-vip announces, and back.
// No entities of the previous load balancer type may be left.
func TestLoadBalancerTypeChanges(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("web")
	_, address := f.WaitForAddress("web")
	f.WaitForSessions("web", address, "worker-1")

	f.EditService("web", fixture.Annotate(loadbalancer.AnnotationType, string(config.LoadBalancerIPAM)))
	var announced string
	service := f.WaitForService("web", "to be announced by kube-vip", func(s *corev1.Service) string {
		announced = s.Annotations[fixture.KubeVIPAnnotation]
		return missing(announced != "", "it has no annotation")
	})
	f.WaitFor("only the address in the VLAN to be left", func() string {
		if left := f.Sessions(service); len(left) > 0 {
			return fmt.Sprintf("sessions still exist: %v", left)
		}
		want := []fixture.Reservation{{Address: announced, Context: f.ReservationContext(service)}}
		return missing(slices.Equal(want, f.ReservationsOf(service)), fmt.Sprintf("reservations are %v", f.ReservationsOf(service)))
	})

	f.EditService("web", fixture.Annotate(loadbalancer.AnnotationType, string(config.LoadBalancerNLB)))
	service = f.WaitForService("web", "to be a network load balancer again", func(s *corev1.Service) string {
		if announced := s.Annotations[fixture.KubeVIPAnnotation]; announced != "" {
			return "kube-vip still announces " + announced
		}
		return missing(len(s.Status.LoadBalancer.Ingress) == 1 && s.Status.LoadBalancer.Ingress[0].IP != announced, "it has no address of its own")
	})
	f.WaitForSessions("web", service.Status.LoadBalancer.Ingress[0].IP, "worker-1")
	assert.Len(t, f.ReservationsOf(service), 1)
}

// For a Service of type ipam, the manager reserves one address and writes it into kube-vip's annotation. The address
// does not change when the Service changes.
func TestAddressInVLANIsReservedAndReleased(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) { c.LoadBalancer.Type = config.LoadBalancerIPAM }})
	f.CreateService("web")
	announced := func() (address string) {
		f.WaitForService("web", "to be announced by kube-vip", func(s *corev1.Service) string {
			address = s.Annotations[fixture.KubeVIPAnnotation]
			return missing(address != "", "it has no annotation")
		})
		return address
	}
	address := announced()
	service := f.EditService("web", fixture.Ports(fixture.TCP(443), fixture.UDP(443)))
	f.RestartManager()
	assert.Equal(t, address, announced())
	assert.Equal(t, []fixture.Reservation{{Address: address, Context: f.ReservationContext(service)}}, f.ReservationsOf(service))
	f.EditService("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	f.WaitFor("the address to be released", func() string { return missing(len(f.Entities()) == 0, fmt.Sprint(f.Entities())) })
}

// Setting the annotation creates the floating IP, and removing the annotation deletes it. While the floating IP exists,
// it is the published address of the Service.
func TestFloatingIPFollowsAnnotation(t *testing.T) {
	withBothAnswers(t, fixture.Options{}, func(f *fixture.Fixture) {
		t := f.T()
		f.Join("worker-1")
		f.CreateService("web", fixture.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
		service, outside := f.WaitForAddress("web")
		floating := f.FloatingIPsOf(service)
		require.Len(t, floating, 1)
		assert.Equal(t, floating[0].Address, outside)
		inside := f.ReservationsOf(service)[0].Address
		f.WaitForSessions("web", inside, "worker-1")

		f.EditService("web", fixture.Annotate(loadbalancer.AnnotationFloatingIP, "false"))
		f.WaitForService("web", "to be reached from inside only", func(s *corev1.Service) string {
			return missing(s.Status.LoadBalancer.Ingress[0].IP == inside, fmt.Sprintf("its ingress is %v", s.Status.LoadBalancer.Ingress))
		})
		assert.Empty(t, f.FloatingIPsOf(service))
	})
}

// While Prism Central is unavailable, a deleted Service keeps its finalizer. The deletion completes once Prism Central
// is available again.
func TestDeletionWaitsForPrismCentral(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("web")
	service, _ := f.WaitForAddress("web")
	f.Proxy.SetRule(fixture.Unavailable)
	f.DeleteService("web")
	f.WaitForEvent(f.Namespace, "web", "SyncLoadBalancerFailed")
	require.NotEmpty(t, f.GetService("web").Finalizers)
	require.Len(t, f.Sessions(service), 1)
	f.Proxy.SetRule(nil)
	f.WaitForServiceDeleted("web")
	assert.Empty(t, f.Entities())
}

// Services are created, changed and deleted while the manager does not run. The manager catches up when it starts.
func TestServicesChangeWhileManagerIsDown(t *testing.T) {
	withBothAnswers(t, fixture.Options{}, func(f *fixture.Fixture) {
		f.Join("worker-1")
		f.CreateService("deleted")
		f.CreateService("changed")
		f.WaitForAddress("deleted")
		_, address := f.WaitForAddress("changed")
		f.Manager.Kill()
		f.DeleteService("deleted")
		f.EditService("changed", fixture.Ports(fixture.TCP(8080), fixture.UDP(8080)))
		f.CreateService("created")
		f.Start()
		f.WaitForServiceDeleted("deleted")
		f.WaitForSessions("changed", address, "worker-1")
		_, address = f.WaitForAddress("created")
		f.WaitForSessions("created", address, "worker-1")
	})
}
