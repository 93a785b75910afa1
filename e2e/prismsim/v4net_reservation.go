package prismsim

import (
	"net/netip"
	"slices"
	"strings"
)

// addressSelection says which addresses of a subnet to reserve or to free.
type addressSelection struct {
	by        string // selectCount and the others
	count     int
	start     netip.Addr
	addresses []netip.Addr
	context   string
}

// Ways to select addresses, in the words of the API.
const (
	selectCount   = "IP_ADDRESS_COUNT" // reserving only: any free ones
	selectList    = "IP_ADDRESS_LIST"
	selectRange   = "IP_ADDRESS_RANGE" // count addresses from start
	selectContext = "CONTEXT"          // freeing only: all that were reserved with the context
)

// listed gives the addresses of a list or range.
func (s addressSelection) listed() []netip.Addr {
	if s.by == selectList {
		return s.addresses
	}
	var out []netip.Addr
	for a := s.start; len(out) < s.count && a.IsValid(); a = a.Next() {
		out = append(out, a)
	}
	return out
}

// reserve keeps addresses away from automatic assignment: all that are selected, or none. Any are the lowest free ones of
// the pools; a list may also name addresses of the subnet outside of the pools.
func reserve(n *network, want addressSelection, limit int) ([]netip.Addr, *netFailure) {
	if !n.IPAM {
		return nil, netInvalid("Subnet %s is not a managed subnet", n.UUID)
	}
	chosen := want.listed()
	if want.by == selectCount {
		if chosen = n.v4.lowestFree(want.count); len(chosen) < want.count {
			return nil, netExhausted("No free IP addresses: %d requested, %d left in the pools of subnet %s", want.count, len(chosen), n.UUID)
		}
	}
	for _, a := range chosen {
		if failed := reservable(n, a); failed != nil {
			return nil, failed
		}
	}
	if failed := netLimit("reserved IP addresses of a subnet", len(n.v4.reservations), len(chosen), limit); failed != nil {
		return nil, failed
	}
	for _, a := range chosen {
		n.v4.reservations[a] = want.context
	}
	return chosen, nil
}

func reservable(n *network, a netip.Addr) *netFailure {
	_, reserved := n.v4.reservations[a]
	_, used := n.v4.inUse[a]
	switch {
	case !n.v4.usable(a):
		return netInvalid("IP address %s is not a usable address of subnet %s", a, n.UUID)
	case reserved:
		return netConflict("IP address %s is already reserved on subnet %s", a, n.UUID)
	case used:
		return netConflict("IP address %s is already in use on subnet %s", a, n.UUID)
	}
	return nil
}

// unreserve frees reserved addresses and gives those that were reserved. A list of which none is reserved fails (recorded
// in nutanix.ansible, pull request 1209); a range of which none is succeeds and frees nothing.
func unreserve(n *network, want addressSelection) ([]netip.Addr, *netFailure) {
	if !n.IPAM {
		return nil, netInvalid("Subnet %s is not a managed subnet", n.UUID)
	}
	freed := selectedReservations(n, want)
	switch {
	case len(freed) == 0 && want.by == selectContext:
		return nil, netInvalid("No IP addresses exist with context: %s", want.context)
	case len(freed) == 0 && want.by == selectList:
		return nil, netInvalid("IP addresses %s are not reserved on subnet %s", joinAddresses(want.addresses), n.UUID)
	}
	for _, a := range freed {
		delete(n.v4.reservations, a)
	}
	return freed, nil
}

// selectedReservations gives the addresses of a selection that are reserved.
func selectedReservations(n *network, want addressSelection) []netip.Addr {
	out := []netip.Addr{}
	if want.by == selectContext {
		for _, a := range reservedAddresses(n) {
			if n.v4.reservations[a] == want.context {
				out = append(out, a)
			}
		}
		return out
	}
	for _, a := range want.listed() {
		if _, reserved := n.v4.reservations[a]; reserved {
			out = append(out, a)
		}
	}
	return out
}

// reservedAddresses gives all reserved addresses, in order.
func reservedAddresses(n *network) []netip.Addr {
	out := []netip.Addr{}
	if n.v4 == nil {
		return out
	}
	for a := range n.v4.reservations {
		out = append(out, a)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

func joinAddresses(addresses []netip.Addr) string {
	texts := make([]string, 0, len(addresses))
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}
