package nlb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// request is what a Service asks for, after all defaults.
type request struct {
	owner       loadbalancer.Owner
	description string
	ports       []port
	refused     []refusedPort
	// address is invalid when any will do.
	address netip.Addr
	subnet  reference
	// isSubnetNamed is true when the Service names the subnet, and not the configuration.
	isSubnetNamed bool
	floatingIP    bool
	healthCheck   nutanix.HealthCheck
	selector      labels.Selector
	// notices say what is not as asked for, while the Service is served.
	notices []notice
}

// port is a port of the Service that can be served.
type port struct {
	protocol       nutanix.Protocol
	port, nodePort int
}

// refusedPort is a port of the Service that is left out.
type refusedPort struct {
	port            corev1.ServicePort
	reason, message string
}

// notice is a part of a Refusal.
type notice struct{ reason, message string }

// read gives what a Service asks for. Its errors are Refusals of the whole Service.
func read(service *corev1.Service, cfg config.Config) (request, error) {
	r := request{
		owner:       loadbalancer.OwnerOf(cfg.ClusterName, service),
		description: "Service " + service.Namespace + "/" + service.Name + " of cluster " + cfg.ClusterName,
	}
	for _, check := range []func(*corev1.Service) error{r.checkFamilies, checkAffinity, checkSourceRanges} {
		if err := check(service); err != nil {
			return request{}, err
		}
	}
	if err := r.readAnnotations(service, *cfg.LoadBalancer.NLB); err != nil {
		return request{}, err
	}
	r.readPorts(service)
	if len(r.ports) == 0 {
		return request{}, noPortLeft(r.refused)
	}
	return r, nil
}

func (r *request) checkFamilies(service *corev1.Service) error {
	families, policy := service.Spec.IPFamilies, service.Spec.IPFamilyPolicy
	wantsOther := slices.Contains(families, corev1.IPv6Protocol)
	requiresBoth := policy != nil && *policy == corev1.IPFamilyPolicyRequireDualStack
	switch {
	case requiresBoth || (wantsOther && !slices.Contains(families, corev1.IPv4Protocol)):
		return &loadbalancer.Refusal{Reason: ReasonAddressFamily, Message: "Nutanix network load balancers have IPv4 addresses only: " +
			"set ipFamilies to [IPv4] and ipFamilyPolicy to SingleStack or PreferDualStack"}
	case wantsOther:
		r.notices = append(r.notices, notice{ReasonAddressFamily, "the load balancer has an IPv4 address only: " +
			"Nutanix network load balancers know no IPv6"})
	}
	return nil
}

func checkAffinity(service *corev1.Service) error {
	if service.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return nil
	}
	return &loadbalancer.Refusal{Reason: ReasonSessionAffinity, Message: "Nutanix network load balancers spread connections by a hash " +
		"of addresses, ports and protocol, so that connections of one client reach different nodes: set sessionAffinity to None"}
}

// checkSourceRanges refuses ranges, because a session cannot filter, and kube-proxy applies the ranges only to traffic that
// is addressed to the load balancer, not to node ports, where a session's traffic arrives.
func checkSourceRanges(service *corev1.Service) error {
	ranges := service.Spec.LoadBalancerSourceRanges
	if text := service.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]; len(ranges) == 0 && strings.TrimSpace(text) != "" {
		ranges = strings.Split(text, ",")
	}
	isAll := func(text string) bool { return strings.TrimSpace(text) == "0.0.0.0/0" }
	if len(ranges) == 0 || slices.ContainsFunc(ranges, isAll) {
		return nil
	}
	return &loadbalancer.Refusal{Reason: ReasonSourceRanges, Message: fmt.Sprintf("Nutanix network load balancers cannot filter by source, "+
		"so that %s would not be enforced: remove loadBalancerSourceRanges and the annotation %s, and use a network policy or Flow",
		strings.Join(ranges, ", "), corev1.AnnotationLoadBalancerSourceRangesKey)}
}

func (r *request) readPorts(service *corev1.Service) {
	for _, p := range service.Spec.Ports {
		switch {
		case p.Protocol != corev1.ProtocolTCP && p.Protocol != corev1.ProtocolUDP && p.Protocol != "":
			r.refused = append(r.refused, refusedPort{p, ReasonProtocol, fmt.Sprintf(
				"port %d is not served: Nutanix network load balancers know TCP and UDP, not %s", p.Port, p.Protocol)})
		case p.NodePort == 0:
			r.refused = append(r.refused, refusedPort{p, ReasonNodePort, fmt.Sprintf(
				"port %d is not served: traffic arrives on node ports, and it has none; set allocateLoadBalancerNodePorts to true", p.Port)})
		default:
			r.ports = append(r.ports, port{protocolOf(p), int(p.Port), int(p.NodePort)})
		}
	}
}

func protocolOf(p corev1.ServicePort) nutanix.Protocol {
	if p.Protocol == corev1.ProtocolUDP {
		return nutanix.UDP
	}
	return nutanix.TCP
}

func noPortLeft(refused []refusedPort) error {
	if len(refused) == 0 {
		return &loadbalancer.Refusal{Reason: ReasonNodePort, Message: "the Service has no ports"}
	}
	messages := make([]string, 0, len(refused))
	for _, p := range refused {
		messages = append(messages, p.message)
	}
	return &loadbalancer.Refusal{Reason: refused[0].reason, Message: strings.Join(messages, "; ")}
}
