package model

import (
	"fmt"
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// VPC is a virtual private cloud with its external subnets and its overlay subnets.
type VPC struct {
	inventory.VPC
	Uplinks []Uplink
	Subnets []*Subnet // overlay subnets
}

// Uplink is an external subnet of a VPC and the address of the VPC in that subnet.
type Uplink struct {
	Subnet  *Subnet
	Address netip.Addr
}

// addVPCs adds the VPCs of an inventory. The subnets of the VPCs must already exist.
func (pc *Central) addVPCs(vpcs []inventory.VPC) error {
	for _, v := range vpcs {
		cloud := &VPC{VPC: v}
		for _, n := range pc.Subnets {
			if n.VPC == v.Name && n.Type == inventory.TypeOverlay {
				n.InVPC = cloud
				cloud.Subnets = append(cloud.Subnets, n)
			}
		}
		for _, name := range v.ExternalSubnets {
			n := Find(pc.Subnets, func(n *Subnet) bool { return n.Name == name && n.External })
			address, ok := n.V4.Take("vpc " + v.UUID)
			if !ok {
				return fmt.Errorf("adding VPC %q: no free address is left in external subnet %q", v.Name, name)
			}
			cloud.Uplinks = append(cloud.Uplinks, Uplink{n, address})
		}
		pc.VPCs = append(pc.VPCs, cloud)
	}
	return nil
}

// VPCByUUID returns the VPC with the UUID, or nil if it does not exist.
func (pc *Central) VPCByUUID(uuid string) *VPC {
	return Find(pc.VPCs, func(v *VPC) bool { return v.UUID == uuid })
}

// SubnetOf returns the overlay subnet that contains the address a, or nil if there is none.
func (v *VPC) SubnetOf(a netip.Addr) *Subnet {
	return Find(v.Subnets, func(n *Subnet) bool { return n.V4 != nil && n.V4.Prefix.Contains(a) })
}

// Reaches reports whether subnet is an external subnet of the VPC.
func (v *VPC) Reaches(subnet *Subnet) bool {
	for _, up := range v.Uplinks {
		if up.Subnet == subnet {
			return true
		}
	}
	return false
}

// Attachment is a NIC with its VM and its subnet.
type Attachment struct {
	VM     *VM
	NIC    wire.NIC
	Subnet *Subnet
}

// Attachments returns the NICs of all VMs by UUID.
func (pc *Central) Attachments() map[string]Attachment {
	out := map[string]Attachment{}
	for _, m := range pc.VMs.All {
		for _, n := range m.Live.NICs() {
			out[n.UUID] = Attachment{m, n, pc.SubnetByUUID(n.SubnetReference.UUID)}
		}
	}
	return out
}
