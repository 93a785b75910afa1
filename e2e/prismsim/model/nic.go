package model

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// applyNICs sets the UUID and MAC address of every NIC, and the IP address of every NIC on a managed subnet. It
// releases the addresses of removed NICs. If applyNICs fails, it releases the addresses of new NICs.
func (pc *Central) applyNICs(res, old *wire.VMResources) *TaskError {
	kept := map[string]bool{}
	var fresh []string
	for i := range res.NICList {
		n := &res.NICList[i]
		before := old.NICOf(n.UUID)
		if before == nil {
			n.UUID = uuid.NewString()
			fresh = append(fresh, n.UUID)
		}
		kept[n.UUID] = true
		if failed := pc.applyNIC(n, before); failed != nil {
			for _, id := range fresh {
				pc.releaseNIC(id)
			}
			return failed
		}
	}
	if old != nil {
		for _, n := range old.NICList {
			if !kept[n.UUID] {
				pc.releaseNIC(n.UUID)
			}
		}
	}
	return nil
}

func (pc *Central) applyNIC(n, before *wire.NIC) *TaskError {
	subnet := pc.SubnetByUUID(n.SubnetReference.UUID)
	n.SubnetReference = &wire.Reference{Kind: "subnet", Name: subnet.Name, UUID: subnet.UUID}
	n.NICType = cmp.Or(n.NICType, "NORMAL_NIC")
	n.VLANMode = cmp.Or(n.VLANMode, "ACCESS")
	if n.TrunkedVLANs == nil {
		n.TrunkedVLANs = []int64{}
	}
	if n.NumQueues == nil {
		n.NumQueues = new(int64(1))
	}
	if n.IsConnected == nil {
		n.IsConnected = new(true)
	}
	if before != nil {
		n.MACAddress = cmp.Or(n.MACAddress, before.MACAddress)
		if before.SubnetReference.UUID != subnet.UUID {
			pc.releaseNIC(n.UUID)
			before = nil
		}
	}
	if n.MACAddress == "" {
		n.MACAddress = pc.newMAC()
	}
	return subnet.assign(n, before)
}

// assign assigns a managed address to a NIC: the address in the request, otherwise the current address of the NIC,
// otherwise the next free address.
func (n *Subnet) assign(on, before *wire.NIC) *TaskError {
	asked := ""
	for _, endpoint := range on.IPEndpoints {
		if endpoint.Type == "" || endpoint.Type == "ASSIGNED" {
			asked = endpoint.IP
		}
	}
	on.IPEndpoints = []wire.IPEndpoint{}
	if !n.IPAM {
		return nil
	}
	had := ""
	if before != nil && len(before.IPEndpoints) > 0 {
		had = before.IPEndpoints[0].IP
	}
	if asked == "" {
		asked = had
	}
	var address netip.Addr
	ok := false
	switch {
	case asked != "" && asked == had:
		address, ok = ipam.Address(had), true
	case asked != "":
		wanted, err := netip.ParseAddr(asked)
		if err != nil || !n.V4.Claim(wanted, on.UUID) {
			return &TaskError{Code: "INTERNAL_ERROR", Detail: fmt.Sprintf(
				"INTERNAL_ERROR: InvalidArgument: Cannot assign IP address %s on network %s: it is not valid or already assigned.", asked, n.UUID)}
		}
		if had != "" {
			delete(n.V4.InUse, ipam.Address(had))
		}
		address, ok = wanted, true
	default:
		address, ok = n.V4.Take(on.UUID)
	}
	if !ok {
		return &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: NoFreeIP: No free IP address is left in the pools of network " + n.UUID + "."}
	}
	on.IPEndpoints = []wire.IPEndpoint{{IP: address.String(), Type: "ASSIGNED"}}
	return nil
}

// releaseNIC releases all addresses of a NIC on all subnets.
func (pc *Central) releaseNIC(id string) {
	if id == "" {
		return
	}
	for _, n := range pc.Subnets {
		for _, pool := range []*ipam.Pool{n.V4, n.V6} {
			if pool != nil {
				pool.Release(id)
			}
		}
	}
}

// learn adds learned addresses to the NICs of a VM that was switched on: IPv6 addresses, and IPv4 addresses on subnets
// that Prism does not manage. A NIC keeps its learned addresses until the NIC is removed.
func (pc *Central) learn(m *VM) {
	for _, n := range m.Live.Resources.NICList {
		if _, known := m.learned[n.UUID]; known {
			continue
		}
		subnet := pc.SubnetByUUID(n.SubnetReference.UUID)
		pools := []*ipam.Pool{subnet.V6}
		if !subnet.IPAM {
			pools = []*ipam.Pool{subnet.V4, subnet.V6}
		}
		for _, pool := range pools {
			if pool == nil {
				continue
			}
			if address, ok := pool.Take(n.UUID); ok {
				m.learned[n.UUID] = append(m.learned[n.UUID], address.String())
			}
		}
	}
}
