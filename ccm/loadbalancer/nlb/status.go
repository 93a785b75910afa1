package nlb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/capnt/capnt/ccm/loadbalancer"
)

// firstValid gives the first valid address, like cmp.Or; invalid when there is none.
func firstValid(addresses ...netip.Addr) netip.Addr {
	at := slices.IndexFunc(addresses, netip.Addr.IsValid)
	if at < 0 {
		return netip.Addr{}
	}
	return addresses[at]
}

// statusOf gives status.loadBalancer. ipMode is written as configured, and VIP when nothing is: an API server without that
// field (before 1.29) drops it.
func statusOf(ipMode string, address netip.Addr, ports []corev1.PortStatus) *corev1.LoadBalancerStatus {
	if !address.IsValid() {
		return &corev1.LoadBalancerStatus{}
	}
	mode := corev1.LoadBalancerIPModeVIP
	if ipMode == string(corev1.LoadBalancerIPModeProxy) {
		mode = corev1.LoadBalancerIPModeProxy
	}
	return &corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: address.String(), IPMode: &mode, Ports: ports}}}
}

// portsOf says of each port whether it is served; nothing when all are.
func portsOf(service *corev1.Service, refused []refusedPort) []corev1.PortStatus {
	if len(refused) == 0 {
		return nil
	}
	ports := make([]corev1.PortStatus, 0, len(service.Spec.Ports))
	for _, p := range service.Spec.Ports {
		status := corev1.PortStatus{Port: p.Port, Protocol: p.Protocol}
		for _, r := range refused {
			if r.port.Port == p.Port && r.port.Protocol == p.Protocol {
				text := loadbalancer.Prefix + r.reason
				status.Error = &text
			}
		}
		ports = append(ports, status)
	}
	return ports
}

// sharingRefused are the ports that Prism Central does not allow on the virtual IP of another one.
func sharingRefused(service *corev1.Service, owner loadbalancer.Owner, p *progress) []refusedPort {
	var refused []refusedPort
	for _, servicePort := range service.Spec.Ports {
		if p.refused[sessionName(owner, port{protocol: protocolOf(servicePort), port: int(servicePort.Port)})] {
			refused = append(refused, refusedPort{servicePort, ReasonSharing, fmt.Sprintf("port %d/%s is not served: this Prism Central "+
				"allows one load balancer session on a virtual IP, and another port of the Service has it; make one Service for each port",
				servicePort.Port, servicePort.Protocol)})
		}
	}
	return refused
}

// partly says what is not as asked for, while the rest is served; nil when nothing is.
func partly(notices []notice, refused []refusedPort) error {
	for _, r := range refused {
		notices = append(notices, notice{r.reason, r.message})
	}
	if len(notices) == 0 {
		return nil
	}
	messages := make([]string, 0, len(notices))
	for _, n := range notices {
		messages = append(messages, n.message)
	}
	return &loadbalancer.Refusal{Reason: notices[0].reason, Message: strings.Join(messages, "; ")}
}

// reportTargets makes an Event of each node that is left out, and of the Service when none is left, once and not with every
// Service and repair.
func (b *Backend) reportTargets(service *corev1.Service, nodes []*corev1.Node, nics []string, without []skipped) {
	reasons := make([]string, 0, len(without))
	for _, s := range without {
		b.told.Report(s.node, types.UID(s.node.Name), ReasonTargetMissing,
			"network load balancers send no traffic to this node: "+s.why)
		reasons = append(reasons, s.node.Name+": "+s.why)
	}
	if len(nodes) == 0 || len(nics) > 0 {
		b.told.Settled(service.UID)
		return
	}
	message := "no node gets traffic: the annotation " + loadbalancer.AnnotationNodeSelector + " matches none"
	if len(reasons) > 0 {
		message = "no node gets traffic: " + strings.Join(reasons[:min(len(reasons), 3)], "; ")
	}
	b.told.Report(service, service.UID, ReasonNoTargets, message)
}
