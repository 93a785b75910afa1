package model

import (
	"fmt"
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/ipam"
)

// Subnet is a subnet with its address pools.
type Subnet struct {
	inventory.Subnet
	Element *inventory.PrismElement // nil for overlay subnets
	InVPC   *VPC                    // nil for VLAN subnets
	Gateway netip.Addr
	V4, V6  *ipam.Pool // nil if the subnet has no addresses of the family
}

func (pc *Central) newNetwork(n inventory.Subnet) (*Subnet, error) {
	added := &Subnet{Subnet: n, Element: pc.PrismElementByName(n.PrismElement)}
	if n.CIDR != "" {
		prefix, err := netip.ParsePrefix(n.CIDR)
		if err != nil {
			return nil, fmt.Errorf("parsing CIDR: %w", err)
		}
		added.Gateway = prefix.Masked().Addr().Next()
		if n.Gateway != "" {
			if added.Gateway, err = netip.ParseAddr(n.Gateway); err != nil {
				return nil, fmt.Errorf("parsing gateway: %w", err)
			}
		}
		if added.V4, err = ipam.New(n.CIDR, n.Pools, added.Gateway, lastAddress(prefix)); err != nil {
			return nil, err
		}
	}
	if n.IPv6 != nil {
		pool, err := ipam.New(n.IPv6.CIDR, n.IPv6.Pools)
		if err != nil {
			return nil, err
		}
		added.V6 = pool
	}
	return added, nil
}

// lastAddress returns the broadcast address of an IPv4 prefix.
func lastAddress(prefix netip.Prefix) netip.Addr {
	raw := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return last
}
