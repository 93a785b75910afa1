package model

import (
	"fmt"
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// VPC is a VPC with its ways out.
type VPC struct {
	inventory.VPC
	Uplinks []Uplink
	Subnets []*Subnet // overlay subnets
}

// Uplink is an external subnet and the address that a VPC has in it.
type Uplink struct {
	Subnet  *Subnet
	Address netip.Addr
}

// addVPCs makes the VPCs of an inventory; the subnets are there already.
func (e *Central) addVPCs(vpcs []inventory.VPC) error {
	for _, v := range vpcs {
		cloud := &VPC{VPC: v}
		for _, n := range e.Subnets {
			if n.VPC == v.Name && n.Type == inventory.TypeOverlay {
				n.InVPC = cloud
				cloud.Subnets = append(cloud.Subnets, n)
			}
		}
		for _, name := range v.ExternalSubnets {
			n := Find(e.Subnets, func(n *Subnet) bool { return n.Name == name && n.External })
			address, ok := n.V4.Take("vpc " + v.UUID)
			if !ok {
				return fmt.Errorf("adding VPC %q: no free address is left in external subnet %q", v.Name, name)
			}
			cloud.Uplinks = append(cloud.Uplinks, Uplink{n, address})
		}
		e.VPCs = append(e.VPCs, cloud)
	}
	return nil
}

func (e *Central) VPCByUUID(uuid string) *VPC {
	return Find(e.VPCs, func(v *VPC) bool { return v.UUID == uuid })
}

// SubnetOf gives the overlay subnet that an address is in, or nil.
func (v *VPC) SubnetOf(a netip.Addr) *Subnet {
	return Find(v.Subnets, func(n *Subnet) bool { return n.V4 != nil && n.V4.Prefix.Contains(a) })
}

// Reaches tells whether a VPC has a way out through a subnet.
func (v *VPC) Reaches(subnet *Subnet) bool {
	for _, up := range v.Uplinks {
		if up.Subnet == subnet {
			return true
		}
	}
	return false
}

// Attachment is a NIC with the VM that has it and the subnet that it is on.
type Attachment struct {
	VM     *VM
	NIC    wire.NIC
	Subnet *Subnet
}

// Attachments gives all NICs of VMs that exist, by UUID.
func (e *Central) Attachments() map[string]Attachment {
	out := map[string]Attachment{}
	for _, m := range e.VMs.All {
		for _, n := range m.Live.NICs() {
			out[n.UUID] = Attachment{m, n, e.SubnetByUUID(n.SubnetReference.UUID)}
		}
	}
	return out
}
