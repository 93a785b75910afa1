package networking

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
)

// addressSelection selects addresses of a subnet in a request that reserves or unreserves addresses.
type addressSelection struct {
	by        string // method of selection, for example selectCount
	count     int
	start     netip.Addr
	addresses []netip.Addr
	context   string
}

// Methods of selecting addresses in the API.
const (
	selectCount   = "IP_ADDRESS_COUNT" // any free addresses; only for reserving
	selectList    = "IP_ADDRESS_LIST"
	selectRange   = "IP_ADDRESS_RANGE" // count addresses, beginning with start
	selectContext = "CONTEXT"          // all addresses that were reserved with a client context; only for unreserving
)

// listed returns the selected addresses if they are given as a list or a range.
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

// reserve reserves all selected addresses. If it fails, it reserves no address. Prism Central does not assign a
// reserved address automatically. IP_ADDRESS_COUNT selects the lowest free addresses of the pools. A list may contain addresses of the
// subnet that are in no pool.
func reserve(n *model.Subnet, want addressSelection, limit int) ([]netip.Addr, *failure) {
	if !n.IPAM {
		return nil, invalid("Subnet %s is not a managed subnet", n.UUID)
	}
	chosen := want.listed()
	if want.by == selectCount {
		if chosen = n.V4.LowestFree(want.count); len(chosen) < want.count {
			return nil, exhausted("No free IP addresses: %d requested, %d left in the pools of subnet %s", want.count, len(chosen), n.UUID)
		}
	}
	for _, a := range chosen {
		if failed := reservable(n, a); failed != nil {
			return nil, failed
		}
	}
	if failed := limitFailure("reserved IP addresses of a subnet", len(n.V4.Reservations), len(chosen), limit); failed != nil {
		return nil, failed
	}
	for _, a := range chosen {
		n.V4.Reservations[a] = want.context
	}
	return chosen, nil
}

func reservable(n *model.Subnet, a netip.Addr) *failure {
	_, reserved := n.V4.Reservations[a]
	_, used := n.V4.InUse[a]
	switch {
	case !n.V4.Usable(a):
		return invalid("IP address %s is not a usable address of subnet %s", a, n.UUID)
	case reserved:
		return conflict("IP address %s is already reserved on subnet %s", a, n.UUID)
	case used:
		return conflict("IP address %s is already in use on subnet %s", a, n.UUID)
	}
	return nil
}

// unreserve removes the reservations of the selected addresses and returns the addresses that were reserved. If no
// address in a list is reserved, unreserve fails, as recorded in pull request 1209 of nutanix.ansible. If no address in
// a range is reserved, unreserve succeeds.
func unreserve(n *model.Subnet, want addressSelection) ([]netip.Addr, *failure) {
	if !n.IPAM {
		return nil, invalid("Subnet %s is not a managed subnet", n.UUID)
	}
	freed := selectedReservations(n, want)
	switch {
	case len(freed) == 0 && want.by == selectContext:
		return nil, invalid("No IP addresses exist with context: %s", want.context)
	case len(freed) == 0 && want.by == selectList:
		return nil, invalid("IP addresses %s are not reserved on subnet %s", joinAddresses(want.addresses), n.UUID)
	}
	for _, a := range freed {
		delete(n.V4.Reservations, a)
	}
	return freed, nil
}

// selectedReservations returns the reserved addresses among the selected addresses.
func selectedReservations(n *model.Subnet, want addressSelection) []netip.Addr {
	out := []netip.Addr{}
	if want.by == selectContext {
		for _, a := range reservedAddresses(n) {
			if n.V4.Reservations[a] == want.context {
				out = append(out, a)
			}
		}
		return out
	}
	for _, a := range want.listed() {
		if _, reserved := n.V4.Reservations[a]; reserved {
			out = append(out, a)
		}
	}
	return out
}

// reservedAddresses returns all reserved addresses in ascending order.
func reservedAddresses(n *model.Subnet) []netip.Addr {
	out := []netip.Addr{}
	if n.V4 == nil {
		return out
	}
	for a := range n.V4.Reservations {
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
