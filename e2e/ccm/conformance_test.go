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
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// The tests in this file correspond to test cases of the Kubernetes test suites, but send no traffic to load balancers.
// docs/ccm-conformance.md maps the test cases to the tests.

// A Service changes its type from ClusterIP to NodePort, and then to LoadBalancer with a requested address. Its node
// port and its port change after that. Finally, its type changes back to ClusterIP.
func TestConformanceTypeAndPortsChange(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	for protocol, wanted := range map[corev1.Protocol]string{corev1.ProtocolTCP: "10.11.0.220", corev1.ProtocolUDP: "10.11.0.221"} {
		name := map[corev1.Protocol]string{corev1.ProtocolTCP: "tcp", corev1.ProtocolUDP: "udp"}[protocol]
		t.Run(name, func(t *testing.T) {
			f.CreateService(name, fixture.Ports(fixture.Port(protocol, 80)), ofType(corev1.ServiceTypeClusterIP))
			nodePort := f.EditService(name, ofType(corev1.ServiceTypeNodePort)).Spec.Ports[0].NodePort

			f.EditService(name, ofType(corev1.ServiceTypeLoadBalancer), func(s *corev1.Service) { s.Spec.LoadBalancerIP = wanted })
			service, address := f.WaitForAddress(name)
			require.Equal(t, wanted, address)
			require.Equal(t, nodePort, service.Spec.Ports[0].NodePort)
			f.WaitForSessions(name, address, "worker-1")

			another := nodePort ^ 1 // the other port of an even-odd pair, which is in the node port range too
			f.EditService(name, func(s *corev1.Service) { s.Spec.Ports[0].NodePort = another })
			f.WaitForSessions(name, address, "worker-1")

			service = f.EditService(name, func(s *corev1.Service) { s.Spec.Ports[0].Port++ })
			require.Equal(t, another, service.Spec.Ports[0].NodePort)
			f.WaitForSessions(name, address, "worker-1")
			_, now := f.WaitForAddress(name)
			require.Equal(t, address, now)

			service = f.EditService(name, ofType(corev1.ServiceTypeClusterIP))
			require.Zero(t, service.Spec.Ports[0].NodePort)
			f.WaitForNoLoadBalancer(name)
			assert.Empty(t, f.Sessions(service))
			assert.Empty(t, f.ReservationsOf(service))
		})
	}
}

func ofType(kind corev1.ServiceType) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Type = kind }
}

// The finalizer exists exactly as long as the load balancer exists.
func TestConformanceFinalizer(t *testing.T) {
	t.Parallel()
	const finalizer = "service.kubernetes.io/load-balancer-cleanup"
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("lb-finalizer")
	for range 2 {
		service, _ := f.WaitForAddress("lb-finalizer")
		require.Equal(t, []string{finalizer}, service.Finalizers)
		f.EditService("lb-finalizer", ofType(corev1.ServiceTypeClusterIP))
		f.WaitForNoLoadBalancer("lb-finalizer")
		f.EditService("lb-finalizer", ofType(corev1.ServiceTypeLoadBalancer))
	}
	f.WaitForAddress("lb-finalizer")
	f.DeleteService("lb-finalizer")
	f.WaitForServiceDeleted("lb-finalizer")
	assert.Empty(t, f.Entities())
}

// A network load balancer supports neither source ranges nor session affinity. The manager does not serve a Service
// that requests one of these features, and reports the reason in an event. Without the refusal, users would rely on a
// feature that is missing. Once the Service no longer requests the feature, the manager serves it.
func TestConformanceRefusals(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
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
		f.CreateService(name, test.wish)
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f.WaitForEvent(f.Namespace, name, test.reason)
			service := f.GetService(name)
			assert.Empty(t, service.Status.LoadBalancer.Ingress)
			assert.Empty(t, f.Sessions(service))
			f.EditService(name, test.undo)
			_, address := f.WaitForAddress(name)
			f.WaitForSessions(name, address, "worker-1")
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

// If a Service that already has a load balancer requests session affinity, the load balancer does not change. An event
// reports the unsupported feature.
func TestConformanceAffinityIsSwitched(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.CreateService("web")
	_, address := f.WaitForAddress("web")
	f.EditService("web", affinity(corev1.ServiceAffinityClientIP))
	f.WaitForEvent(f.Namespace, "web", nlb.ReasonSessionAffinity)
	f.WaitForSessions("web", address, "worker-1")
	f.EditService("web", affinity(corev1.ServiceAffinityNone))
	f.WaitForSessions("web", address, "worker-1")
}

// A Service of type ipam needs no node ports. The Service keeps its address when node ports are allocated later.
func TestConformanceNodePortsComeLater(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) { c.LoadBalancer.Type = config.LoadBalancerIPAM }})
	allocate := false
	f.CreateService("reallocate-nodeport", func(s *corev1.Service) { s.Spec.AllocateLoadBalancerNodePorts = &allocate })
	service := f.WaitForService("reallocate-nodeport", "to be announced", func(s *corev1.Service) string {
		return missing(s.Annotations[fixture.KubeVIPAnnotation] != "", "it has no annotation")
	})
	require.Zero(t, service.Spec.Ports[0].NodePort)
	allocate = true
	changed := f.EditService("reallocate-nodeport", func(s *corev1.Service) { s.Spec.AllocateLoadBalancerNodePorts = &allocate })
	require.NotZero(t, changed.Spec.Ports[0].NodePort)
	f.RestartManager()
	f.Join("worker-1")
	assert.Equal(t, service.Annotations[fixture.KubeVIPAnnotation], f.GetService("reallocate-nodeport").Annotations[fixture.KubeVIPAnnotation])
	assert.Len(t, f.ReservationsOf(service), 1)
}

// All nodes are targets even if the external traffic policy is Local, because kube-proxy makes the health check fail on
// nodes without endpoints. The policy of an existing Service can be changed.
func TestConformanceLocalTrafficPolicy(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	f.Join("worker-1")
	f.Join("worker-2")
	local := func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }
	f.CreateService("external-local", local)
	service, address := f.WaitForAddress("external-local")
	require.NotZero(t, service.Spec.HealthCheckNodePort)
	f.WaitForSessions("external-local", address, "worker-1", "worker-2")
	f.EditService("external-local", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster })
	f.WaitForSessions("external-local", address, "worker-1", "worker-2")
	f.EditService("external-local", local)
	f.WaitForSessions("external-local", address, "worker-1", "worker-2")
	_, now := f.WaitForAddress("external-local")
	assert.Equal(t, address, now)
}

// The manager publishes the configured IP mode of the load balancer. Changing the ports does not change the IP mode.
func TestConformanceIPMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []corev1.LoadBalancerIPMode{corev1.LoadBalancerIPModeVIP, corev1.LoadBalancerIPModeProxy} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) { c.LoadBalancer.NLB.IPMode = string(mode) }})
			f.Join("worker-1")
			f.CreateService("web")
			service, address := f.WaitForAddress("web")
			require.Equal(t, mode, *service.Status.LoadBalancer.Ingress[0].IPMode)
			f.EditService("web", fixture.Ports(fixture.TCP(443)))
			f.WaitForSessions("web", address, "worker-1")
			service, _ = f.WaitForAddress("web")
			assert.Equal(t, mode, *service.Status.LoadBalancer.Ingress[0].IPMode)
		})
	}
}

// The IP address in the kubelet's flag --node-ip becomes the first address of the Node. If the VM does not have this
// address, the Node stays uninitialised.
func TestConformanceProvidedNodeIP(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{})
	vm := f.CreateVM("worker-1", fixture.NodeSubnet, fixture.VLANSubnet)
	given := vm.IPs()[1]
	f.RegisterWith("worker-1", vm.UUID, map[string]string{cloudproviderapi.AnnotationAlphaProvidedIPAddr: given})
	node := f.WaitForInitialisedNode("worker-1")
	assert.Equal(t, given, fixture.Addresses(node, corev1.NodeInternalIP)[0])

	wrong := f.CreateVM("worker-2")
	f.RegisterWith("worker-2", wrong.UUID, map[string]string{cloudproviderapi.AnnotationAlphaProvidedIPAddr: "192.0.2.1"})
	f.WaitForLog("192.0.2.1")
	f.Consistently(5, func() string {
		return missing(fixture.HasTaint(f.Node("worker-2"), uninitialized), "worker-2 is initialised with an address that it does not have")
	})
}

// difference describes how the lists want and have differ. If they are equal, difference returns an empty string.
func difference(want, have []string) string {
	if fmt.Sprint(want) == fmt.Sprint(have) {
		return ""
	}
	return fmt.Sprintf("got %v, want %v", have, want)
}
