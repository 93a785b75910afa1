package nlb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// reference names a subnet or VPC, and says where that was asked for. Without a type, as in an annotation, the text may be a
// name or a UUID.
type reference struct {
	config.Identifier
	source string
}

func (r reference) names(name, uuid string) bool {
	isName, isUUID := r.Name != "" && r.Name == name, r.UUID != "" && strings.EqualFold(r.UUID, uuid)
	switch r.Type {
	case "name":
		return isName
	case "uuid":
		return isUUID
	default:
		return isName || isUUID
	}
}

func (r reference) text() string {
	if r.Type == "uuid" {
		return r.UUID
	}
	return r.Name
}

// network is the VPC and all subnets that Prism Central knows.
type network struct {
	vpc     nutanix.VPC
	subnets []nutanix.Subnet
}

// networks keeps what is asked for with every change of a Service or of Nodes.
type networks struct {
	mu    sync.Mutex
	of    config.Identifier
	held  network
	until time.Time
}

// network gives the VPC and the subnets as they were at most client.cacheTTL ago. Errors are not kept.
func (b *Backend) network(ctx context.Context, cfg config.LoadBalancer) (network, error) {
	now := b.options.Clock.Now()
	b.networks.mu.Lock()
	held, isFresh := b.networks.held, b.networks.of == cfg.NLB.VPC && now.Before(b.networks.until)
	b.networks.mu.Unlock()
	if isFresh {
		return held, nil
	}
	n, err := b.readNetwork(ctx, cfg)
	if err != nil {
		return network{}, err
	}
	b.networks.mu.Lock()
	defer b.networks.mu.Unlock()
	b.networks.of, b.networks.held, b.networks.until = cfg.NLB.VPC, n, now.Add(b.options.Config().Client.CacheTTL.Duration)
	return n, nil
}

// readNetwork asks for the VPC and the subnets. A VPC that is not there is an error for a deletion too: in a wrong VPC all
// reservations would seem to be gone.
func (b *Backend) readNetwork(ctx context.Context, cfg config.LoadBalancer) (network, error) {
	vpc := reference{Identifier: cfg.NLB.VPC, source: "loadBalancer.nlb.vpc"}
	name := vpc.Name
	if vpc.Type == "uuid" {
		name = ""
	}
	vpcs, err := b.options.API.ListVPCs(ctx, name)
	if err != nil {
		return network{}, fmt.Errorf("looking for VPC %s: %w", vpc.text(), err)
	}
	var found []nutanix.VPC
	for _, candidate := range vpcs {
		if vpc.names(candidate.Name, candidate.UUID) {
			found = append(found, candidate)
		}
	}
	if err := exactlyOne(vpc, "VPC", len(found)); err != nil {
		return network{}, err
	}
	subnets, err := b.options.API.ListSubnets(ctx, "")
	if err != nil {
		return network{}, fmt.Errorf("listing subnets: %w", err)
	}
	return network{vpc: found[0], subnets: subnets}, nil
}

// mine are the subnets that virtual IPs may come from. Load balancers of type ipam, whose reservations have the same marks,
// have theirs in VLAN subnets only.
func (n network) mine() []nutanix.Subnet {
	return slices.DeleteFunc(slices.Clone(n.subnets), func(s nutanix.Subnet) bool {
		return s.VPCUUID != n.vpc.UUID || !s.Prefix.IsValid()
	})
}

// others are the subnets that virtual IPs may have come from when another VPC was configured.
func (n network) others() []nutanix.Subnet {
	return slices.DeleteFunc(slices.Clone(n.subnets), func(s nutanix.Subnet) bool {
		return s.VPCUUID == n.vpc.UUID || s.VPCUUID == "" || !s.Prefix.IsValid()
	})
}

// holds reports whether a subnet is in the VPC.
func (n network) holds(subnetUUID string) bool {
	for _, subnet := range n.subnets {
		if subnet.UUID == subnetUUID {
			return subnet.VPCUUID == n.vpc.UUID
		}
	}
	return false
}

// internal gives the subnet of the VPC that is referred to. A name that the VPC has once is enough, however many other VPCs
// and VLANs have it too.
func (n network) internal(r reference) (nutanix.Subnet, error) {
	var inside []nutanix.Subnet
	for _, subnet := range n.subnets {
		if subnet.VPCUUID == n.vpc.UUID && r.names(subnet.Name, subnet.UUID) {
			inside = append(inside, subnet)
		}
	}
	if err := exactlyOne(r, "subnet in VPC "+n.vpc.Name, len(inside)); err != nil {
		return nutanix.Subnet{}, err
	}
	return inside[0], nil
}

// virtual gives the subnet that virtual IPs come from.
func (n network) virtual(r reference) (nutanix.Subnet, error) {
	subnet, err := n.internal(r)
	if err == nil && !subnet.Prefix.IsValid() {
		err = misconfigured(r, "names subnet %s, whose addresses Prism Central does not manage: "+
			"give it an IPv4 range and a pool, or name another", subnet.Name)
	}
	return subnet, err
}

// external gives the subnet that floating IPs come from.
func (n network) external(r reference) (nutanix.Subnet, error) {
	var found []nutanix.Subnet
	for _, subnet := range n.subnets {
		if r.names(subnet.Name, subnet.UUID) && (subnet.IsExternal || r.Type == "uuid") {
			found = append(found, subnet)
		}
	}
	if err := exactlyOne(r, "external subnet", len(found)); err != nil {
		return nutanix.Subnet{}, err
	}
	if !found[0].IsExternal || !found[0].IsNAT {
		return nutanix.Subnet{}, misconfigured(r, "names subnet %s, which is no external subnet with NAT: "+
			"floating IPs come from such ones only", found[0].Name)
	}
	return found[0], nil
}

func exactlyOne(r reference, kind string, count int) error {
	switch count {
	case 0:
		return misconfigured(r, "names %q, but Prism Central has no such %s: correct it, or check the role of the credentials", r.text(), kind)
	case 1:
		return nil
	default:
		return misconfigured(r, "names %q, but Prism Central has %d of that name (%s): give the UUID", r.text(), count, kind)
	}
}

// misconfigured is a Refusal that is tried again, because what is missing in Prism Central may be made.
func misconfigured(r reference, format string, args ...any) error {
	return &loadbalancer.Refusal{Reason: ReasonConfiguration, Message: r.source + " " + fmt.Sprintf(format, args...), Retry: true}
}

// Preflight reports what is wrong with the VPC and the subnets of the configuration: each error names the field and what to
// do. It is nil when network load balancers are not configured.
func (b *Backend) Preflight(ctx context.Context) error {
	cfg := b.options.Config().LoadBalancer
	if cfg.NLB == nil {
		return nil
	}
	n, err := b.network(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := n.virtual(reference{Identifier: cfg.NLB.Subnet, source: "loadBalancer.nlb.subnet"}); err != nil {
		return err
	}
	if _, err := n.nodeSubnet(*cfg.NLB); err != nil {
		return err
	}
	if _, err = n.externalUUID(*cfg.NLB); err != nil {
		return err
	}
	return b.checkVersion(ctx)
}

// checkVersion refuses a Prism Central that knows VPCs but no load balancer sessions.
func (b *Backend) checkVersion(ctx context.Context) error {
	_, err := b.options.API.ListLoadBalancerSessions(ctx, b.options.Config().ClusterName+"-")
	var said *nutanix.Error
	if errors.As(err, &said) && said.Status == http.StatusNotFound {
		return refuse(ReasonConfiguration, err, "loadBalancer.nlb needs load balancer sessions, which this Prism Central does not know: "+
			"pc.2024.3 or newer is needed")
	}
	return explainAny(err)
}

// nodeSubnet gives the UUID of the subnet whose NICs get traffic, or "" for all of the VPC.
func (n network) nodeSubnet(cfg config.NLB) (string, error) {
	if cfg.NodeSubnet == nil {
		return "", nil
	}
	subnet, err := n.internal(reference{Identifier: *cfg.NodeSubnet, source: "loadBalancer.nlb.nodeSubnet"})
	return subnet.UUID, err
}

// externalUUID gives the UUID of the subnet that floating IPs come from, or "" when none is configured.
func (n network) externalUUID(cfg config.NLB) (string, error) {
	if cfg.ExternalSubnet == nil {
		return "", nil
	}
	subnet, err := n.external(reference{Identifier: *cfg.ExternalSubnet, source: "loadBalancer.nlb.externalSubnet"})
	return subnet.UUID, err
}
