package instance

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	cloudproviderapi "k8s.io/cloud-provider/api"
	"k8s.io/cloud-provider/node/helpers"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// exclusion says why an address is not one of a node; "" when it may be.
type exclusion func(netip.Addr) string

// addresses gives the addresses of a node: its IPs as InternalIP (see nodeIPs), and last its host name.
func (i *Instances) addresses(ctx context.Context, settings config.Config, node *corev1.Node, vm nutanix.VM) ([]corev1.NodeAddress, error) {
	excluded, err := i.excluded(ctx, settings)
	if err != nil {
		return nil, err
	}
	served, err := i.servedBy(ctx)
	if err != nil {
		return nil, err
	}
	ips, left := nodeIPs(vm, currentIPs(node), excluded, served)
	if len(ips) == 0 {
		return nil, &Problem{ReasonNoAddress, fmt.Sprintf("%s has no address that can be one of the node: %s. Give its NIC an address, "+
			"or correct ignoredNodeIPs and controlPlaneEndpoint", describeVM(vm), left)}
	}
	var addresses []corev1.NodeAddress
	for _, ip := range ips {
		addresses = append(addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
	}
	addresses = append(addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: hostName(node, vm)})
	return addresses, checkNodeIP(node, addresses, left)
}

// excluded collects what is never an address of a node. A control plane endpoint that is a host name excludes nothing; what it
// resolves to belongs into ignoredNodeIPs.
func (i *Instances) excluded(ctx context.Context, settings config.Config) (exclusion, error) {
	var ignored []config.AddressRange
	for _, text := range settings.IgnoredNodeIPs {
		one, err := config.ParseAddressRange(text)
		if err != nil {
			return nil, fmt.Errorf("reading ignoredNodeIPs %q: %w", text, err)
		}
		ignored = append(ignored, one)
	}
	balancers, err := i.balancers.get(ctx)
	if err != nil {
		return nil, err
	}
	endpoint := endpointIP(settings.ControlPlaneEndpoint)
	return func(ip netip.Addr) string {
		switch {
		case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified():
			return "not routable"
		case ip == endpoint:
			return "the control plane endpoint"
		case balancers[ip]:
			return "of a load balancer"
		case slices.ContainsFunc(ignored, func(r config.AddressRange) bool { return r.Contains(ip) }):
			return "in ignoredNodeIPs"
		}
		return ""
	}, nil
}

// endpointIP reads an address; a host name, which is all else that the configuration lets pass, is none.
func endpointIP(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// leftOut are addresses that were not taken, each with the reason.
type leftOut []string

func (l leftOut) String() string {
	if len(l) == 0 {
		return "no NIC has one"
	}
	return strings.Join(l, ", ")
}

// nodeIPs gives the addresses of a virtual machine, IPv4 and IPv6, each once: first the configured one of the first NIC that has
// any, then all others in numeric order, IPv4 first. A NIC without a configured address keeps the one first that the node has
// first now, lest an address that was merely learned, and is lower, takes its place. Nothing else that was learned is the node's
// when it is served, that is, when a Service is reached by it.
func nodeIPs(vm nutanix.VM, current []netip.Addr, excluded exclusion, served map[netip.Addr]bool) ([]netip.Addr, leftOut) {
	var first netip.Addr
	var all []netip.Addr
	var left leftOut
	for _, nic := range vm.NICs {
		var usable []netip.Addr
		for n, ip := range slices.Concat([]netip.Addr{nic.Primary}, nic.Secondary, nic.Learned) {
			if ip = ip.Unmap().WithZone(""); !ip.IsValid() {
				continue
			}
			if why := excluded(ip); why != "" {
				left = append(left, fmt.Sprintf("%s is %s", ip, why))
				continue
			}
			isMain := len(current) > 0 && ip == current[0]
			if served[ip] && n > len(nic.Secondary) && !isMain && !slices.Contains(usable, ip) {
				left = append(left, fmt.Sprintf("%s is of a Service", ip))
				continue
			}
			if n == 0 && !first.IsValid() && len(all) == 0 {
				first = ip
			}
			usable = append(usable, ip)
		}
		if !first.IsValid() && len(all) == 0 && len(usable) > 0 {
			first = preferred(usable, current)
		}
		all = append(all, usable...)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.DeleteFunc(slices.Compact(all), func(ip netip.Addr) bool { return ip == first })
	slices.Sort(left)
	if first.IsValid() {
		all = append([]netip.Addr{first}, all...)
	}
	return all, slices.Compact(left)
}

// preferred gives the first of the node's present addresses that is among the usable ones, or else the lowest.
func preferred(usable, current []netip.Addr) netip.Addr {
	for _, ip := range current {
		if slices.Contains(usable, ip) {
			return ip
		}
	}
	return slices.MinFunc(usable, netip.Addr.Compare)
}

func currentIPs(node *corev1.Node) []netip.Addr {
	var ips []netip.Addr
	for _, address := range node.Status.Addresses {
		if ip, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP {
			ips = append(ips, ip.Unmap())
		}
	}
	return ips
}

// hostName is the name of the virtual machine, as Nutanix's own cloud controller manager has it, when that can be a host name,
// and the node's name otherwise.
func hostName(node *corev1.Node, vm nutanix.VM) string {
	if len(validation.IsDNS1123Subdomain(strings.ToLower(vm.Name))) == 0 {
		return vm.Name
	}
	return node.Name
}

// checkNodeIP applies the framework's rule that the addresses given to the kubelet with --node-ip are among the node's, and says
// why one is not.
func checkNodeIP(node *corev1.Node, addresses []corev1.NodeAddress, left leftOut) error {
	given, ok := node.Annotations[cloudproviderapi.AnnotationAlphaProvidedIPAddr]
	if !ok {
		return nil
	}
	if _, err := helpers.GetNodeAddressesFromNodeIP(given, addresses); err != nil {
		return &Problem{ReasonNodeIP, fmt.Sprintf("the kubelet's --node-ip %s is not among the node's addresses (%v). Left out: %s. "+
			"Correct --node-ip, or what leaves it out", given, err, left)}
	}
	return nil
}
