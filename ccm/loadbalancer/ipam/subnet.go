package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// subnets knows the subnets that the configuration names, for a short while.
type subnets struct {
	mu    sync.Mutex
	named []config.Identifier
	held  []nutanix.Subnet
	until time.Time
}

// get gives the configured subnets, the first being where addresses come from by default. Its errors are Refusals, and what
// Prism Central says. Errors are not kept.
func (s *subnets) get(ctx context.Context, api nutanix.Subnets, c config.Config, now time.Time) ([]nutanix.Subnet, error) {
	named := append([]config.Identifier{c.LoadBalancer.IPAM.Subnet}, c.LoadBalancer.IPAM.AdditionalSubnets...)
	s.mu.Lock()
	held, fresh := s.held, now.Before(s.until) && slices.Equal(s.named, named)
	s.mu.Unlock()
	if fresh {
		return held, nil
	}
	var resolved []nutanix.Subnet
	for _, identifier := range named {
		subnet, err := resolve(ctx, api, identifier)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(resolved, func(r nutanix.Subnet) bool { return r.UUID == subnet.UUID }) {
			resolved = append(resolved, subnet)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named, s.held, s.until = named, resolved, now.Add(c.Client.CacheTTL.Duration)
	return resolved, nil
}

// resolve finds the subnet that an identifier names, and refuses what is of no use.
func resolve(ctx context.Context, api nutanix.Subnets, identifier config.Identifier) (nutanix.Subnet, error) {
	name, uuid := identifier.Name, strings.ToLower(identifier.UUID)
	if identifier.Type == "uuid" {
		name = ""
	}
	all, err := api.ListSubnets(ctx, name)
	if err != nil {
		return nutanix.Subnet{}, fmt.Errorf("listing subnets: %w", err)
	}
	found := slices.DeleteFunc(all, func(s nutanix.Subnet) bool {
		return identifier.Type == "uuid" && s.UUID != uuid || identifier.Type != "uuid" && s.Name != name
	})
	text := name + uuid
	switch {
	case len(found) == 0:
		return nutanix.Subnet{}, misconfigured("there is no subnet %s in Prism Central, which the configuration (loadBalancer.ipam) names", text)
	case len(found) > 1:
		return nutanix.Subnet{}, misconfigured("%d subnets in Prism Central are called %s: the configuration (loadBalancer.ipam) must name one by its UUID", len(found), text)
	case found[0].VPCUUID != "":
		return nutanix.Subnet{}, misconfigured("subnet %s belongs to a VPC: addresses can be announced in VLAN subnets only (loadBalancer.ipam)", text)
	case !found[0].Prefix.IsValid():
		return nutanix.Subnet{}, misconfigured("Prism Central does not manage the addresses of subnet %s: switch IP address management on (loadBalancer.ipam)", text)
	}
	return found[0], nil
}

func misconfigured(format string, arguments ...any) *loadbalancer.Refusal {
	return &loadbalancer.Refusal{Reason: ReasonConfiguration, Message: fmt.Sprintf(format, arguments...), Retry: true}
}

// place is an address that is or is to be reserved. An invalid one stands for any of the subnet.
type place struct {
	subnet  nutanix.Subnet
	address netip.Addr
}

// decide says where the Service's address is to be, given what it asks for, the configured subnets and what it has. It keeps
// what it has unless the Service asks for something else. Its errors are Refusals.
func decide(r request, configured []nutanix.Subnet, has []place) (place, error) {
	allowed := configured
	if r.subnet != "" {
		allowed = slices.DeleteFunc(slices.Clone(configured), func(s nutanix.Subnet) bool {
			return s.Name != r.subnet && s.UUID != strings.ToLower(r.subnet)
		})
		if len(allowed) != 1 {
			return place{}, refuse("annotation %s is %q, which names %d of the subnets that may be used: %s",
				loadbalancer.AnnotationSubnet, r.subnet, len(allowed), names(configured))
		}
	}
	usable := slices.DeleteFunc(slices.Clone(has), func(p place) bool {
		return !slices.ContainsFunc(allowed, func(s nutanix.Subnet) bool { return s.UUID == p.subnet.UUID })
	})
	asks := func(p place) bool { return p.address == r.address }
	switch {
	case slices.ContainsFunc(usable, asks):
		return usable[slices.IndexFunc(usable, asks)], nil
	case r.address.IsValid() && (!r.announced || !slices.ContainsFunc(has, asks)):
		// It is new: below.
	case len(usable) > 0:
		return usable[0], nil
	default:
		return place{subnet: allowed[0]}, nil
	}
	for _, s := range allowed {
		if s.Prefix.Contains(r.address) {
			return place{s, r.address}, nil
		}
	}
	return place{}, refuse("%s is %s, which is in none of the subnets that may be used: %s", r.source, r.address, names(allowed))
}

func names(subnets []nutanix.Subnet) string {
	var texts []string
	for _, s := range subnets {
		texts = append(texts, fmt.Sprintf("%s (%s)", s.Name, s.Prefix))
	}
	return strings.Join(texts, ", ")
}
