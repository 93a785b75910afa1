package prismsim

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/google/uuid"
)

// realiseNICs gives every NIC UUID, MAC and, where Prism manages addresses, one. NICs that are gone free theirs. On
// failure the addresses of new NICs are free again.
func (e *estate) realiseNICs(res, old *vmResources) *taskError {
	kept := map[string]bool{}
	var fresh []string
	for i := range res.NICList {
		n := &res.NICList[i]
		before := old.nicOf(n.UUID)
		if before == nil {
			n.UUID = uuid.NewString()
			fresh = append(fresh, n.UUID)
		}
		kept[n.UUID] = true
		if failed := e.realiseNIC(n, before); failed != nil {
			for _, id := range fresh {
				e.releaseNIC(id)
			}
			return failed
		}
	}
	if old != nil {
		for _, n := range old.NICList {
			if !kept[n.UUID] {
				e.releaseNIC(n.UUID)
			}
		}
	}
	return nil
}

func (res *vmResources) nicOf(id string) *nic {
	if res == nil || id == "" {
		return nil
	}
	for i := range res.NICList {
		if res.NICList[i].UUID == id {
			return &res.NICList[i]
		}
	}
	return nil
}

func (e *estate) realiseNIC(n, before *nic) *taskError {
	subnet := e.subnetByUUID(n.SubnetReference.UUID)
	n.SubnetReference = &reference{Kind: "subnet", Name: subnet.Name, UUID: subnet.UUID}
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
			e.releaseNIC(n.UUID)
			before = nil
		}
	}
	if n.MACAddress == "" {
		n.MACAddress = e.newMAC()
	}
	return subnet.assign(n, before)
}

// assign gives a NIC its managed address: the one it asks for, the one it has, or the next free one.
func (n *network) assign(on, before *nic) *taskError {
	asked := ""
	for _, endpoint := range on.IPEndpoints {
		if endpoint.Type == "" || endpoint.Type == "ASSIGNED" {
			asked = endpoint.IP
		}
	}
	on.IPEndpoints = []ipEndpoint{}
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
		address, ok = mustAddress(had), true
	case asked != "":
		wanted, err := netip.ParseAddr(asked)
		if err != nil || !n.v4.claim(wanted, on.UUID) {
			return &taskError{code: "INTERNAL_ERROR", detail: fmt.Sprintf(
				"INTERNAL_ERROR: InvalidArgument: Cannot assign IP address %s on network %s: it is not valid or already assigned.", asked, n.UUID)}
		}
		if had != "" {
			delete(n.v4.inUse, mustAddress(had))
		}
		address, ok = wanted, true
	default:
		address, ok = n.v4.take(on.UUID)
	}
	if !ok {
		return &taskError{code: "INTERNAL_ERROR", detail: "INTERNAL_ERROR: NoFreeIP: No free IP address is left in the pools of network " + n.UUID + "."}
	}
	on.IPEndpoints = []ipEndpoint{{IP: address.String(), Type: "ASSIGNED"}}
	return nil
}

// mustAddress parses an address that this package wrote; the zero address is none.
func mustAddress(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}

// releaseNIC frees all addresses of a NIC, on every subnet.
func (e *estate) releaseNIC(id string) {
	if id == "" {
		return
	}
	for _, n := range e.subnets {
		for _, pool := range []*addressPool{n.v4, n.v6} {
			if pool != nil {
				pool.release(id)
			}
		}
	}
}

// learn gives the NICs of a VM that was switched on the addresses that the hypervisor sees on the wire: those of
// unmanaged subnets and IPv6 ones. They stay with the NIC until it is gone.
func (e *estate) learn(m *machine) {
	for _, n := range m.live.Resources.NICList {
		if _, known := m.learned[n.UUID]; known {
			continue
		}
		subnet := e.subnetByUUID(n.SubnetReference.UUID)
		pools := []*addressPool{subnet.v6}
		if !subnet.IPAM {
			pools = []*addressPool{subnet.v4, subnet.v6}
		}
		for _, pool := range pools {
			if pool == nil {
				continue
			}
			if address, ok := pool.take(n.UUID); ok {
				m.learned[n.UUID] = append(m.learned[n.UUID], address.String())
			}
		}
	}
}
