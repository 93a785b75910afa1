package prismsim

import (
	"fmt"
	"net/netip"
)

// privateCloud is a VPC with its ways out.
type privateCloud struct {
	VPC
	uplinks []uplink
	subnets []*network // overlay subnets
}

// uplink is an external subnet and the address that a VPC has in it.
type uplink struct {
	subnet  *network
	address netip.Addr
}

// addVPCs makes the VPCs of an inventory; the subnets are there already.
func (e *estate) addVPCs(vpcs []VPC) error {
	for _, v := range vpcs {
		cloud := &privateCloud{VPC: v}
		for _, n := range e.subnets {
			if n.VPC == v.Name && n.Type == typeOverlay {
				n.vpc = cloud
				cloud.subnets = append(cloud.subnets, n)
			}
		}
		for _, name := range v.ExternalSubnets {
			n := find(e.subnets, func(n *network) bool { return n.Name == name && n.External })
			address, ok := n.v4.take("vpc " + v.UUID)
			if !ok {
				return fmt.Errorf("adding VPC %q: no free address is left in external subnet %q", v.Name, name)
			}
			cloud.uplinks = append(cloud.uplinks, uplink{n, address})
		}
		e.vpcs = append(e.vpcs, cloud)
	}
	return nil
}

func (e *estate) vpcByUUID(uuid string) *privateCloud {
	return find(e.vpcs, func(v *privateCloud) bool { return v.UUID == uuid })
}

// subnetOf gives the overlay subnet that an address is in, or nil.
func (v *privateCloud) subnetOf(a netip.Addr) *network {
	return find(v.subnets, func(n *network) bool { return n.v4 != nil && n.v4.prefix.Contains(a) })
}

// reaches tells whether a VPC has a way out through a subnet.
func (v *privateCloud) reaches(subnet *network) bool {
	for _, up := range v.uplinks {
		if up.subnet == subnet {
			return true
		}
	}
	return false
}

// attachment is a NIC with the VM that has it and the subnet that it is on.
type attachment struct {
	vm     *machine
	nic    nic
	subnet *network
}

// attachments gives all NICs of VMs that exist, by UUID.
func (e *estate) attachments() map[string]attachment {
	out := map[string]attachment{}
	for _, m := range e.vms.all {
		for _, n := range m.live.nics() {
			out[n.UUID] = attachment{m, n, e.subnetByUUID(n.SubnetReference.UUID)}
		}
	}
	return out
}

// healthOf tells whether the VM of a target is on, and gives its UUID, which is empty when there is no such NIC any more.
func healthOf(t sessionTarget, nics map[string]attachment) (vmUUID string, healthy bool) {
	at, ok := nics[t.nicUUID]
	if !ok {
		return "", false
	}
	return at.vm.uuid, at.vm.power == powerOn
}
