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
	"github.com/capnt/capnt/e2e/ccm/world"
)

// TestServiceIsServed: one session for every port, all on one reserved address, with the node port of every Node behind it;
// and nothing of it is left when the Service is deleted (which every scenario ends with).
func TestServiceIsServed(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Join("worker-2")
	cases := map[string][]corev1.ServicePort{
		"tcp":                       {world.TCP(80)},
		"udp":                       {world.UDP(53)},
		"tcp-and-udp-on-one-port":   {world.TCP(53), world.UDP(53)},
		"several-ports":             {world.TCP(80), world.TCP(443), world.UDP(8443)},
		"a-port-with-a-long-number": {world.TCP(65535)},
	}
	for name := range cases {
		w.Service(name, world.Ports(cases[name]...))
	}
	addresses := map[string]string{}
	for name := range cases {
		service, address := w.Served(name)
		w.Balances(name, address, "worker-1", "worker-2")
		assert.Equal(t, []world.Reservation{{Address: address, Context: w.Context(service)}}, w.ReservationsOf(service))
		assert.Empty(t, addresses[address], "two Services have one address")
		addresses[address] = name
		require.Len(t, service.Status.LoadBalancer.Ingress, 1)
		assert.Equal(t, corev1.LoadBalancerIPModeVIP, *service.Status.LoadBalancer.Ingress[0].IPMode)
	}
}

// TestServiceGetsTheAddressItAsksFor, by annotation and by the field of old.
func TestServiceGetsTheAddressItAsksFor(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("annotated", world.Annotate(loadbalancer.AnnotationAddress, "10.11.0.200"))
	w.Service("field", func(s *corev1.Service) { s.Spec.LoadBalancerIP = "10.11.0.201" })
	for name, want := range map[string]string{"annotated": "10.11.0.200", "field": "10.11.0.201"} {
		_, address := w.Served(name)
		assert.Equal(t, want, address)
		w.Balances(name, want, "worker-1")
	}
}

// TestTwoServicesRaceForOneAddress: one gets it, the other says that it is taken, and gets it when the first is gone.
func TestTwoServicesRaceForOneAddress(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	const wanted = "10.11.0.210"
	names := []string{"one", "two"}
	for _, name := range names {
		w.Service(name, world.Annotate(loadbalancer.AnnotationAddress, wanted))
	}
	winner := ""
	w.Until("one Service to win", func() string {
		for _, name := range names {
			if len(w.ReadService(name).Status.LoadBalancer.Ingress) > 0 {
				winner = name
			}
		}
		return missing(winner != "", "none has")
	})
	loser := names[1-slices.Index(names, winner)]
	w.EventUntil(w.Namespace, loser, wanted)
	w.Balances(winner, wanted, "worker-1")
	assert.Empty(t, w.Sessions(w.ReadService(loser)))
	assert.Empty(t, w.ReservationsOf(w.ReadService(loser)))

	w.DeleteService(winner)
	w.ServiceGone(winner)
	_, address := w.Served(loser)
	assert.Equal(t, wanted, address)
	w.Balances(loser, wanted, "worker-1")
}

// TestTargetsFollowNodes that join, are excluded by label, are let in again, and leave.
func TestTargetsFollowNodes(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web", world.Ports(world.TCP(80), world.UDP(80)))
	_, address := w.Served("web")
	w.Balances("web", address, "worker-1")

	gone := w.Join("worker-2")
	w.Balances("web", address, "worker-1", "worker-2")
	w.EditNode("worker-1", func(n *corev1.Node) { n.Labels[corev1.LabelNodeExcludeBalancers] = "true" })
	w.Balances("web", address, "worker-2")
	w.EditNode("worker-1", func(n *corev1.Node) { delete(n.Labels, corev1.LabelNodeExcludeBalancers) })
	w.Balances("web", address, "worker-1", "worker-2")
	require.NoError(t, w.Prism.DeleteVM(gone.UUID))
	w.SetReady("worker-2", false)
	w.NodeGone("worker-2")
	w.Balances("web", address, "worker-1")
}

// TestNodeSelectorChoosesTargets of one Service.
func TestNodeSelectorChoosesTargets(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Join("edge-1")
	w.EditNode("edge-1", func(n *corev1.Node) { n.Labels["role"] = "edge" })
	w.Service("web", world.Annotate(loadbalancer.AnnotationNodeSelector, "role=edge"))
	_, address := w.Served("web")
	w.Balances("web", address, "edge-1")
	w.EditService("web", func(s *corev1.Service) { delete(s.Annotations, loadbalancer.AnnotationNodeSelector) })
	w.Balances("web", address, "edge-1", "worker-1")
}

// TestPortsChangeAndTheAddressStays: a port is added, changed, taken away, and another protocol comes.
func TestPortsChangeAndTheAddressStays(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web", world.Ports(world.TCP(80)))
	_, address := w.Served("web")
	for _, ports := range [][]corev1.ServicePort{
		{world.TCP(80), world.TCP(443)},
		{world.TCP(80), world.TCP(8443)},
		{world.UDP(80), world.TCP(8443)},
		{world.UDP(80)},
	} {
		w.EditService("web", world.Ports(ports...))
		w.Balances("web", address, "worker-1")
		_, now := w.Served("web")
		require.Equal(t, address, now)
	}
}

// TestTypeFlips between LoadBalancer and NodePort: the load balancer goes completely and comes completely.
func TestTypeFlips(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web", world.Ports(world.TCP(80), world.UDP(80)))
	for range 2 {
		_, address := w.Served("web")
		w.Balances("web", address, "worker-1")
		w.EditService("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort })
		w.Unserved("web")
		assert.Empty(t, w.Pieces())
		w.EditService("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
	}
	w.Served("web")
}

// TestKindOfLoadBalancerFlips between a network load balancer and an address that kube-vip announces, and back.
// Nothing of the kind before is left.
func TestKindOfLoadBalancerFlips(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web")
	_, address := w.Served("web")
	w.Balances("web", address, "worker-1")

	w.EditService("web", world.Annotate(loadbalancer.AnnotationType, string(config.LoadBalancerIPAM)))
	var announced string
	service := w.ServiceUntil("web", "to be announced by kube-vip", func(s *corev1.Service) string {
		announced = s.Annotations[world.KubeVIPAnnotation]
		return missing(announced != "", "it has no annotation")
	})
	w.Until("only the address in the VLAN to be left", func() string {
		if left := w.Sessions(service); len(left) > 0 {
			return fmt.Sprintf("there are the sessions %v", left)
		}
		want := []world.Reservation{{Address: announced, Context: w.Context(service)}}
		return missing(slices.Equal(want, w.ReservationsOf(service)), fmt.Sprintf("there are the reservations %v", w.ReservationsOf(service)))
	})

	w.EditService("web", world.Annotate(loadbalancer.AnnotationType, string(config.LoadBalancerNLB)))
	service = w.ServiceUntil("web", "to be a network load balancer again", func(s *corev1.Service) string {
		if announced := s.Annotations[world.KubeVIPAnnotation]; announced != "" {
			return "kube-vip is told to announce " + announced
		}
		return missing(len(s.Status.LoadBalancer.Ingress) == 1 && s.Status.LoadBalancer.Ingress[0].IP != announced, "it has no address of its own")
	})
	w.Balances("web", service.Status.LoadBalancer.Ingress[0].IP, "worker-1")
	assert.Len(t, w.ReservationsOf(service), 1)
}

// TestAddressInVLANIsReservedAndReleased: the kind for VLANs reserves one address, tells kube-vip, and keeps it while the
// Service changes.
func TestAddressInVLANIsReservedAndReleased(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Configure: func(c *config.Config) { c.LoadBalancer.Type = config.LoadBalancerIPAM }})
	w.Service("web")
	announced := func() (address string) {
		w.ServiceUntil("web", "to be announced by kube-vip", func(s *corev1.Service) string {
			address = s.Annotations[world.KubeVIPAnnotation]
			return missing(address != "", "it has no annotation")
		})
		return address
	}
	address := announced()
	service := w.EditService("web", world.Ports(world.TCP(443), world.UDP(443)))
	w.RestartManager()
	assert.Equal(t, address, announced())
	assert.Equal(t, []world.Reservation{{Address: address, Context: w.Context(service)}}, w.ReservationsOf(service))
	w.EditService("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	w.Until("the address to be released", func() string { return missing(len(w.Pieces()) == 0, fmt.Sprint(w.Pieces())) })
}

// TestFloatingIPComesAndGoes with the annotation, and is what clients are told to use.
func TestFloatingIPComesAndGoes(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web", world.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
	service, outside := w.Served("web")
	floating := w.FloatingIPsOf(service)
	require.Len(t, floating, 1)
	assert.Equal(t, floating[0].Address, outside)
	inside := w.ReservationsOf(service)[0].Address
	w.Balances("web", inside, "worker-1")

	w.EditService("web", world.Annotate(loadbalancer.AnnotationFloatingIP, "false"))
	w.ServiceUntil("web", "to be reached from inside only", func(s *corev1.Service) string {
		return missing(s.Status.LoadBalancer.Ingress[0].IP == inside, fmt.Sprintf("its ingress is %v", s.Status.LoadBalancer.Ingress))
	})
	assert.Empty(t, w.FloatingIPsOf(service))
}

// TestDeletionWaitsForPrismCentral: while it is down the Service stays, and goes when it is back.
func TestDeletionWaitsForPrismCentral(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web")
	service, _ := w.Served("web")
	w.Proxy.Judge(world.Down)
	w.DeleteService("web")
	w.EventUntil(w.Namespace, "web", "SyncLoadBalancerFailed")
	require.NotEmpty(t, w.ReadService("web").Finalizers)
	require.Len(t, w.Sessions(service), 1)
	w.Proxy.Judge(nil)
	w.ServiceGone("web")
	assert.Empty(t, w.Pieces())
}

// TestServiceDeletedWhileNobodyLooks: the manager is dead when a Service is created, changed and deleted.
func TestServiceDeletedWhileNobodyLooks(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("deleted")
	w.Service("changed")
	w.Served("deleted")
	_, address := w.Served("changed")
	w.Manager.Kill()
	w.DeleteService("deleted")
	w.EditService("changed", world.Ports(world.TCP(8080), world.UDP(8080)))
	w.Service("created")
	w.Start()
	w.ServiceGone("deleted")
	w.Balances("changed", address, "worker-1")
	_, address = w.Served("created")
	w.Balances("created", address, "worker-1")
}
