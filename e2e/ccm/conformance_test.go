package ccm

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	cloudproviderapi "k8s.io/cloud-provider/api"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer/nlb"
	"github.com/capnt/capnt/e2e/ccm/world"
)

// The tests of this file play cases of Kubernetes' own suites as far as the control plane shows them: everything but
// packets. docs/ccm-conformance.md says which case is played where.

// TestConformanceTypeAndPortsChange: ClusterIP, NodePort, LoadBalancer with an address that was asked for, another node port,
// another port, ClusterIP.
func TestConformanceTypeAndPortsChange(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	for protocol, wanted := range map[corev1.Protocol]string{corev1.ProtocolTCP: "10.11.0.220", corev1.ProtocolUDP: "10.11.0.221"} {
		name := map[corev1.Protocol]string{corev1.ProtocolTCP: "tcp", corev1.ProtocolUDP: "udp"}[protocol]
		t.Run(name, func(t *testing.T) {
			w.Service(name, world.Ports(world.Port(protocol, 80)), ofType(corev1.ServiceTypeClusterIP))
			nodePort := w.EditService(name, ofType(corev1.ServiceTypeNodePort)).Spec.Ports[0].NodePort

			w.EditService(name, ofType(corev1.ServiceTypeLoadBalancer), func(s *corev1.Service) { s.Spec.LoadBalancerIP = wanted })
			service, address := w.Served(name)
			require.Equal(t, wanted, address)
			require.Equal(t, nodePort, service.Spec.Ports[0].NodePort)
			w.Balances(name, address, "worker-1")

			another := nodePort ^ 1 // its neighbour in the range of node ports
			w.EditService(name, func(s *corev1.Service) { s.Spec.Ports[0].NodePort = another })
			w.Balances(name, address, "worker-1")

			service = w.EditService(name, func(s *corev1.Service) { s.Spec.Ports[0].Port++ })
			require.Equal(t, another, service.Spec.Ports[0].NodePort)
			w.Balances(name, address, "worker-1")
			_, now := w.Served(name)
			require.Equal(t, address, now)

			service = w.EditService(name, ofType(corev1.ServiceTypeClusterIP))
			require.Zero(t, service.Spec.Ports[0].NodePort)
			w.Unserved(name)
			assert.Empty(t, w.Sessions(service))
			assert.Empty(t, w.ReservationsOf(service))
		})
	}
}

func ofType(kind corev1.ServiceType) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Type = kind }
}

// TestConformanceFinalizer is there while a load balancer is, goes with it, and comes again.
func TestConformanceFinalizer(t *testing.T) {
	t.Parallel()
	const finalizer = "service.kubernetes.io/load-balancer-cleanup"
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("lb-finalizer")
	for range 2 {
		service, _ := w.Served("lb-finalizer")
		require.Equal(t, []string{finalizer}, service.Finalizers)
		w.EditService("lb-finalizer", ofType(corev1.ServiceTypeClusterIP))
		w.Unserved("lb-finalizer")
		w.EditService("lb-finalizer", ofType(corev1.ServiceTypeLoadBalancer))
	}
	w.Served("lb-finalizer")
	w.DeleteService("lb-finalizer")
	w.ServiceGone("lb-finalizer")
	assert.Empty(t, w.Pieces())
}

// TestConformanceRefusals: what a network load balancer cannot do is said in an Event, and the Service is not served as if it
// could: nobody may believe that a filter or an affinity is there. Without the wish it is served.
func TestConformanceRefusals(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	allocate := true
	cases := map[string]struct {
		reason     string
		wish, undo func(*corev1.Service)
	}{
		"source-ranges": {
			nlb.ReasonSourceRanges,
			func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"10.0.0.0/8"} },
			func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = nil },
		},
		"affinity-cluster": {nlb.ReasonSessionAffinity, affinity(corev1.ServiceAffinityClientIP), affinity(corev1.ServiceAffinityNone)},
		"affinity-local": {
			nlb.ReasonSessionAffinity,
			func(s *corev1.Service) {
				affinity(corev1.ServiceAffinityClientIP)(s)
				s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			},
			affinity(corev1.ServiceAffinityNone),
		},
		"without-node-ports": {
			nlb.ReasonNodePort,
			func(s *corev1.Service) {
				no := false
				s.Spec.AllocateLoadBalancerNodePorts = &no
			},
			func(s *corev1.Service) { s.Spec.AllocateLoadBalancerNodePorts = &allocate },
		},
	}
	for name, test := range cases {
		w.Service(name, test.wish)
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			w.EventUntil(w.Namespace, name, test.reason)
			service := w.ReadService(name)
			assert.Empty(t, service.Status.LoadBalancer.Ingress)
			assert.Empty(t, w.Sessions(service))
			w.EditService(name, test.undo)
			_, address := w.Served(name)
			w.Balances(name, address, "worker-1")
		})
	}
}

func affinity(kind corev1.ServiceAffinity) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.SessionAffinity = kind
		if kind == corev1.ServiceAffinityNone {
			s.Spec.SessionAffinityConfig = nil
		}
	}
}

// TestConformanceAffinityIsSwitched on a Service that is served: it stays as it was, and the Event says so.
func TestConformanceAffinityIsSwitched(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Service("web")
	_, address := w.Served("web")
	w.EditService("web", affinity(corev1.ServiceAffinityClientIP))
	w.EventUntil(w.Namespace, "web", nlb.ReasonSessionAffinity)
	w.Balances("web", address, "worker-1")
	w.EditService("web", affinity(corev1.ServiceAffinityNone))
	w.Balances("web", address, "worker-1")
}

// TestConformanceNodePortsComeLater: a load balancer without node ports, which an address announced in a VLAN does not need,
// is given them, and keeps its address.
func TestConformanceNodePortsComeLater(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Configure: func(c *config.Config) { c.LoadBalancer.Type = config.LoadBalancerIPAM }})
	allocate := false
	w.Service("reallocate-nodeport", func(s *corev1.Service) { s.Spec.AllocateLoadBalancerNodePorts = &allocate })
	service := w.ServiceUntil("reallocate-nodeport", "to be announced", func(s *corev1.Service) string {
		return missing(s.Annotations[world.KubeVIPAnnotation] != "", "it has no annotation")
	})
	require.Zero(t, service.Spec.Ports[0].NodePort)
	allocate = true
	changed := w.EditService("reallocate-nodeport", func(s *corev1.Service) { s.Spec.AllocateLoadBalancerNodePorts = &allocate })
	require.NotZero(t, changed.Spec.Ports[0].NodePort)
	w.RestartManager()
	w.Join("worker-1")
	assert.Equal(t, service.Annotations[world.KubeVIPAnnotation], w.ReadService("reallocate-nodeport").Annotations[world.KubeVIPAnnotation])
	assert.Len(t, w.ReservationsOf(service), 1)
}

// TestConformanceLocalTrafficPolicy: all nodes are targets, on their node ports, where kube-proxy answers the health check only
// on nodes with endpoints. The policy may change.
func TestConformanceLocalTrafficPolicy(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	w.Join("worker-1")
	w.Join("worker-2")
	local := func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }
	w.Service("external-local", local)
	service, address := w.Served("external-local")
	require.NotZero(t, service.Spec.HealthCheckNodePort)
	w.Balances("external-local", address, "worker-1", "worker-2")
	w.EditService("external-local", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster })
	w.Balances("external-local", address, "worker-1", "worker-2")
	w.EditService("external-local", local)
	w.Balances("external-local", address, "worker-1", "worker-2")
	_, now := w.Served("external-local")
	assert.Equal(t, address, now)
}

// TestConformanceIPMode is what is configured, and stays when the ports change.
func TestConformanceIPMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []corev1.LoadBalancerIPMode{corev1.LoadBalancerIPModeVIP, corev1.LoadBalancerIPModeProxy} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{Configure: func(c *config.Config) { c.LoadBalancer.NLB.IPMode = string(mode) }})
			w.Join("worker-1")
			w.Service("web")
			service, address := w.Served("web")
			require.Equal(t, mode, *service.Status.LoadBalancer.Ingress[0].IPMode)
			w.EditService("web", world.Ports(world.TCP(443)))
			w.Balances("web", address, "worker-1")
			service, _ = w.Served("web")
			assert.Equal(t, mode, *service.Status.LoadBalancer.Ingress[0].IPMode)
		})
	}
}

// TestConformanceProvidedNodeIP: the address that a kubelet was given comes first, or alone in its family; one that the machine
// does not have keeps the Node uninitialised.
func TestConformanceProvidedNodeIP(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{})
	vm := w.VM("worker-1", world.NodeSubnet, world.VLANSubnet)
	given := vm.IPs()[1]
	w.RegisterWith("worker-1", vm.UUID, map[string]string{cloudproviderapi.AnnotationAlphaProvidedIPAddr: given})
	node := w.Initialised("worker-1")
	assert.Equal(t, given, world.Addresses(node, corev1.NodeInternalIP)[0])

	wrong := w.VM("worker-2")
	w.RegisterWith("worker-2", wrong.UUID, map[string]string{cloudproviderapi.AnnotationAlphaProvidedIPAddr: "192.0.2.1"})
	w.LogUntil("192.0.2.1")
	w.Throughout(5, func() string {
		return missing(world.HasTaint(w.Node("worker-2"), uninitialized), "worker-2 is initialised with an address that it does not have")
	})
}

// difference says how two lists differ; it is empty when they do not.
func difference(want, have []string) string {
	if fmt.Sprint(want) == fmt.Sprint(have) {
		return ""
	}
	return fmt.Sprintf("there is %v instead of %v", have, want)
}
