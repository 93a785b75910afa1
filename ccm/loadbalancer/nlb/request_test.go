package nlb

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

func families(policy corev1.IPFamilyPolicy, families ...corev1.IPFamily) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.IPFamilyPolicy, s.Spec.IPFamilies = &policy, families }
}

func spec(change func(*corev1.ServiceSpec)) func(*corev1.Service) {
	return func(s *corev1.Service) { change(&s.Spec) }
}

// TestWholeServicesAreRefused proves that a refused Service is neither made nor changed, and that the message says what to do.
func TestWholeServicesAreRefused(t *testing.T) {
	sctp := corev1.ServicePort{Protocol: corev1.ProtocolSCTP, Port: 132, NodePort: 30132}
	contradicting := func(s *corev1.Service) {
		s.Annotations[loadbalancer.AnnotationAddress], s.Spec.LoadBalancerIP = "10.0.0.4", "10.0.0.5"
	}
	const contradiction = `annotation nutanix.com/load-balancer-address is "10.0.0.4", but spec.loadBalancerIP is "10.0.0.5": remove one`
	for name, tc := range map[string]struct {
		change       func(*corev1.Service)
		reason, says string
	}{
		"IPv6":                    {families(corev1.IPFamilyPolicySingleStack, corev1.IPv6Protocol), ReasonAddressFamily, "set ipFamilies to [IPv4]"},
		"both families required":  {families(corev1.IPFamilyPolicyRequireDualStack, corev1.IPv4Protocol, corev1.IPv6Protocol), ReasonAddressFamily, "PreferDualStack"},
		"client IP affinity":      {spec(func(s *corev1.ServiceSpec) { s.SessionAffinity = corev1.ServiceAffinityClientIP }), ReasonSessionAffinity, "set sessionAffinity to None"},
		"source ranges":           {spec(func(s *corev1.ServiceSpec) { s.LoadBalancerSourceRanges = []string{"10.0.0.0/8", "11.0.0.0/8"} }), ReasonSourceRanges, "10.0.0.0/8, 11.0.0.0/8 would not be enforced"},
		"source ranges annotated": {annotated(corev1.AnnotationLoadBalancerSourceRangesKey, "10.0.0.0/8,11.0.0.0/8"), ReasonSourceRanges, corev1.AnnotationLoadBalancerSourceRangesKey},
		"SCTP alone":              {withPorts(sctp), ReasonProtocol, "port 132 is not served"},
		"no node ports":           {withPorts(tcp(80, 0), udp(53, 0)), ReasonNodePort, "set allocateLoadBalancerNodePorts to true"},
		"no ports":                {withPorts(), ReasonNodePort, "has no ports"},
		"address that is none":    {withAddress("ten"), ReasonAnnotation, `annotation nutanix.com/load-balancer-address is "ten": it must be one IPv4 address`},
		"IPv6 address":            {withAddress("fd00::1"), ReasonAnnotation, "it must be one IPv4 address"},
		"loadBalancerIP":          {spec(func(s *corev1.ServiceSpec) { s.LoadBalancerIP = "x" }), ReasonAnnotation, `spec.loadBalancerIP is "x"`},
		"two addresses":           {contradicting, ReasonAnnotation, contradiction},
		"address of another net":  {withAddress("10.9.0.1"), ReasonAnnotation, "10.9.0.1 is not in subnet vips (10.0.0.0/24)"},
		"floating IP":             {annotated(loadbalancer.AnnotationFloatingIP, "yes"), ReasonAnnotation, `load-balancer-floating-ip is "yes": it must be "true" or "false"`},
		"node selector":           {annotated(loadbalancer.AnnotationNodeSelector, "a=b=c"), ReasonAnnotation, `load-balancer-node-selector is "a=b=c": it must be a label selector`},
		"interval":                {annotated(loadbalancer.AnnotationHealthCheckInterval, "1s"), ReasonAnnotation, `health-check-interval is "1s": it must be a whole number from 1 to 3600`},
		"timeout":                 {annotated(loadbalancer.AnnotationHealthCheckTimeout, "0"), ReasonAnnotation, "health-check-timeout"},
		"timeout over interval":   {annotated(loadbalancer.AnnotationHealthCheckTimeout, "11"), ReasonAnnotation, "no more than the interval, which is 10"},
		"interval below timeout":  {annotated(loadbalancer.AnnotationHealthCheckInterval, "4"), ReasonAnnotation, `health-check-timeout is "5"`},
		"success threshold":       {annotated(loadbalancer.AnnotationHealthCheckSuccessThreshold, "-1"), ReasonAnnotation, "health-check-success-threshold"},
		"failure threshold":       {annotated(loadbalancer.AnnotationHealthCheckFailureThreshold, "9999"), ReasonAnnotation, "health-check-failure-threshold"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			status, err := w.ensure(newService(1, tc.change))
			refusal := refusalOf(t, err)
			assert.Nil(t, status)
			assert.Equal(t, tc.reason, refusal.Reason)
			assert.Contains(t, refusal.Message, tc.says)
			assert.False(t, refusal.Retry, "only a change of the Service helps")
			assert.Zero(t, w.pieces())

			w.mustEnsure(newService(1))
			before := w.picture()
			_, err = w.ensure(newService(1, tc.change))
			require.Error(t, err)
			assert.Equal(t, before, w.picture(), "what was served before is left as it was")
		})
	}
}

func TestPortsThatCannotBeServedAreLeftOut(t *testing.T) {
	sctp := corev1.ServicePort{Protocol: corev1.ProtocolSCTP, Port: 132, NodePort: 30132}
	w := newWorld(t)
	status, err := w.ensure(newService(1, withPorts(tcp(80, 30080), sctp, udp(53, 0))))
	refusal := refusalOf(t, err)
	assert.Equal(t, ReasonProtocol, refusal.Reason)
	assert.Contains(t, refusal.Message, "port 132")
	assert.Contains(t, refusal.Message, "port 53")
	require.Len(t, w.sessions, 1)
	require.Len(t, status.Ingress, 1)
	assert.Equal(t, "10.0.0.1", status.Ingress[0].IP)
	protocolRefused, noNodePort := "nutanix.com/ProtocolRefused", "nutanix.com/NodePortMissing"
	assert.Equal(t, []corev1.PortStatus{
		{Port: 80, Protocol: corev1.ProtocolTCP},
		{Port: 132, Protocol: corev1.ProtocolSCTP, Error: &protocolRefused},
		{Port: 53, Protocol: corev1.ProtocolUDP, Error: &noNodePort},
	}, status.Ingress[0].Ports)
}

func TestWhatLooksLikeARefusalButIsServed(t *testing.T) {
	for name, change := range map[string]func(*corev1.Service){
		"all sources":           spec(func(s *corev1.ServiceSpec) { s.LoadBalancerSourceRanges = []string{"0.0.0.0/0"} }),
		"all sources annotated": annotated(corev1.AnnotationLoadBalancerSourceRangesKey, " 0.0.0.0/0 "),
		"empty annotation":      annotated(corev1.AnnotationLoadBalancerSourceRangesKey, " "),
		"local traffic":         spec(func(s *corev1.ServiceSpec) { s.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal }),
		"no protocol":           withPorts(corev1.ServicePort{Port: 80, NodePort: 30080}),
		"single stack":          families(corev1.IPFamilyPolicySingleStack, corev1.IPv4Protocol),
		"no families":           families(corev1.IPFamilyPolicySingleStack),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustEnsure(newService(1, change))
			require.Len(t, w.sessions, 1)
			assert.Len(t, w.sessions[0].Targets, 3, "all nodes")
		})
	}
}

func TestDualStackThatIsPreferredIsServedWithIPv4(t *testing.T) {
	w := newWorld(t)
	status, err := w.ensure(newService(1, families(corev1.IPFamilyPolicyPreferDualStack, corev1.IPv6Protocol, corev1.IPv4Protocol)))
	assert.Equal(t, ReasonAddressFamily, refusalOf(t, err).Reason)
	require.Len(t, status.Ingress, 1)
	assert.Equal(t, "10.0.0.1", status.Ingress[0].IP)
}

func TestAnnotationsAndConfigurationMakeTheSession(t *testing.T) {
	w := newWorld(t)
	status := w.mustEnsure(newService(1,
		annotated(loadbalancer.AnnotationHealthCheckTimeout, "4"), annotated(loadbalancer.AnnotationHealthCheckFailureThreshold, "9"),
		annotated(loadbalancer.AnnotationNodeSelector, "number in (0,2)"), withSubnet(otherVIPs), withAddress("10.1.0.44"),
		spec(func(s *corev1.ServiceSpec) { s.LoadBalancerIP = "10.1.0.44" })))
	require.Len(t, w.sessions, 1)
	got := w.sessions[0]
	assert.Equal(t, nutanix.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 4, SuccessThreshold: 3, FailureThreshold: 9}, got.HealthCheck)
	assert.Equal(t, []nutanix.Target{{NICUUID: "nic-0-0", Port: 30080}, {NICUUID: "nic-2-0", Port: 30080}}, got.Targets)
	assert.Equal(t, otherVIPs, got.SubnetUUID)
	assert.Equal(t, "10.1.0.44", status.Ingress[0].IP, "the annotation and spec.loadBalancerIP agree")
	assert.Equal(t, "prod-dddddddd-0000-4000-8000-000000000001-tcp-80", got.Name)
	assert.Equal(t, "Service default/web-1 of cluster prod", got.Description)
	assert.Equal(t, map[reservation]string{{otherVIPs, got.VirtualIP}: "prod/dddddddd-0000-4000-8000-000000000001"}, w.reserved)
}

func TestLoadBalancerIPIsAStaticAddress(t *testing.T) {
	w := newWorld(t)
	status := w.mustEnsure(newService(1, spec(func(s *corev1.ServiceSpec) { s.LoadBalancerIP = "10.0.0.42" })))
	assert.Equal(t, "10.0.0.42", status.Ingress[0].IP)
}
