package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// VPC is a virtual private cloud. A VPC has one route table.
type VPC struct {
	Name        string `json:"name"`
	UUID        string `json:"uuid,omitempty"`
	Description string `json:"description,omitempty"`
	// ExternalSubnets are the names of the external subnets of the VPC. The VPC uses one address of each external
	// subnet.
	ExternalSubnets []string `json:"externalSubnets,omitempty"`
	// RoutablePrefixes are CIDRs that external networks can reach without address translation.
	RoutablePrefixes []string `json:"routablePrefixes,omitempty"`
}

// defaultVPCs sets missing UUIDs of VPCs, and adds a VPC for each overlay subnet without a VPC.
func (inv *Inventory) defaultVPCs() {
	for i := range inv.VPCs {
		inv.VPCs[i].UUID = cmp.Or(inv.VPCs[i].UUID, DeriveUUID("vpc", inv.VPCs[i].Name))
	}
	vpcs := slices.Clip(inv.VPCs)
	for i := range inv.Subnets {
		n := &inv.Subnets[i]
		if n.Type != TypeOverlay || n.VPC != "" {
			continue
		}
		n.VPC = n.Name + "-vpc"
		vpcs = append(vpcs, VPC{Name: n.VPC, UUID: DeriveUUID("vpc", n.UUID)})
	}
	inv.VPCs = vpcs
}

// vpcs validates the VPCs and the subnet fields that refer to VPCs.
func (c *checker) vpcs(inv *Inventory) {
	names := map[string]bool{}
	for i, v := range inv.VPCs {
		at := fmt.Sprintf("vpcs[%d] (%q)", i, v.Name)
		c.named(at, v.Name, v.UUID)
		if names[v.Name] {
			c.fail(at+".name", "appears twice; subnets refer to VPCs by name")
		}
		names[v.Name] = true
		for j, name := range v.ExternalSubnets {
			if !slices.ContainsFunc(inv.Subnets, func(n Subnet) bool { return n.Name == name && n.External }) {
				c.fail(fmt.Sprintf("%s.externalSubnets[%d]", at, j), "%q is not an external subnet of this inventory", name)
			}
		}
		for j, text := range v.RoutablePrefixes {
			if prefix, err := netip.ParsePrefix(text); err != nil || prefix != prefix.Masked() || !prefix.Addr().Is4() {
				c.fail(fmt.Sprintf("%s.routablePrefixes[%d]", at, j), "%q is not an IPv4 CIDR such as 127.40.60.0/24", text)
			}
		}
	}
	for i, n := range inv.Subnets {
		at := fmt.Sprintf("subnets[%d] (%q)", i, n.Name)
		switch {
		case n.VPC != "" && n.Type != TypeOverlay:
			c.fail(at+".vpc", "only an overlay subnet belongs to a VPC; leave it out")
		case n.VPC != "" && !names[n.VPC]:
			c.fail(at+".vpc", "%q is not in vpcs", n.VPC)
		case n.External && (n.Type != typeVLAN || !n.IPAM):
			c.fail(at+".external", "an external subnet is a VLAN with ipam")
		case n.NAT != nil && !n.External:
			c.fail(at+".nat", "only an external subnet translates addresses; leave it out")
		}
	}
}

// Translates reports whether VPCs translate addresses in this external subnet.
func (n Subnet) Translates() bool { return n.External && (n.NAT == nil || *n.NAT) }
