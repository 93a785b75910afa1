package prismsim

import (
	"fmt"
	"net/netip"
	"strings"
)

// addressRange is an inclusive range of one family.
type addressRange struct{ first, last netip.Addr }

func (r addressRange) contains(a netip.Addr) bool {
	return a.Compare(r.first) >= 0 && a.Compare(r.last) <= 0
}

// parseRange reads "first-last" (or a single address) inside a prefix.
func parseRange(prefix netip.Prefix, text string) (addressRange, error) {
	from, to, both := strings.Cut(text, "-")
	if !both {
		to = from
	}
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil {
		return addressRange{}, fmt.Errorf("%q is not a range such as 127.40.1.10-127.40.1.250", text)
	}
	last, err := netip.ParseAddr(strings.TrimSpace(to))
	if err != nil {
		return addressRange{}, fmt.Errorf("%q is not a range such as 127.40.1.10-127.40.1.250", text)
	}
	if !prefix.Contains(first) || !prefix.Contains(last) {
		return addressRange{}, fmt.Errorf("range %s is not inside %s", text, prefix)
	}
	if last.Less(first) {
		return addressRange{}, fmt.Errorf("range %s ends before it begins", text)
	}
	return addressRange{first, last}, nil
}

// addressPool hands out addresses of one subnet. An address is given to one NIC at a time; freed addresses come round
// again only after the others, so that a new VM does not meet the leftovers of an old one.
type addressPool struct {
	prefix       netip.Prefix
	ranges       []addressRange
	unusable     map[netip.Addr]bool   // network, gateway, broadcast
	inUse        map[netip.Addr]string // NIC UUID, or who else holds it
	reservations map[netip.Addr]string // client context of who had it reserved
	last         netip.Addr
}

// newAddressPool takes checked texts; unusable addresses are never given.
func newAddressPool(cidr string, pools []string, unusable ...netip.Addr) (*addressPool, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("parsing CIDR: %w", err)
	}
	p := &addressPool{
		prefix: prefix.Masked(), inUse: map[netip.Addr]string{}, unusable: map[netip.Addr]bool{}, reservations: map[netip.Addr]string{},
	}
	for _, text := range pools {
		r, err := parseRange(prefix, text)
		if err != nil {
			return nil, err
		}
		p.ranges = append(p.ranges, r)
	}
	for _, a := range append(unusable, p.prefix.Addr()) {
		p.unusable[a] = true
	}
	return p, nil
}

// take gives the next free address to a NIC.
func (p *addressPool) take(owner string) (netip.Addr, bool) {
	if a, ok := p.scan(p.last, owner); ok {
		return a, true
	}
	return p.scan(netip.Addr{}, owner)
}

// scan looks for a free address after the given one; the zero address means from the start.
func (p *addressPool) scan(after netip.Addr, owner string) (netip.Addr, bool) {
	started := !after.IsValid()
	for _, r := range p.ranges {
		a := r.first
		if !started {
			if !r.contains(after) {
				continue
			}
			started, a = true, after.Next()
		}
		for ; a.IsValid() && r.contains(a); a = a.Next() {
			if p.claim(a, owner) {
				p.last = a
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

// claim gives a certain address to a NIC unless it is reserved or in use.
func (p *addressPool) claim(a netip.Addr, owner string) bool {
	if _, reserved := p.reservations[a]; reserved && p.inUse[a] != owner {
		return false
	}
	return p.hold(a, owner)
}

// hold gives a certain address to an owner unless it is in use; a reservation is no obstacle.
func (p *addressPool) hold(a netip.Addr, owner string) bool {
	holder, used := p.inUse[a]
	if used && holder == owner {
		return true
	}
	if used || !p.usable(a) {
		return false
	}
	p.inUse[a] = owner
	return true
}

// usable tells whether an address can be given at all.
func (p *addressPool) usable(a netip.Addr) bool { return p.prefix.Contains(a) && !p.unusable[a] }

// free tells whether an address is usable, not reserved and not in use.
func (p *addressPool) free(a netip.Addr) bool {
	_, used := p.inUse[a]
	_, reserved := p.reservations[a]
	return !used && !reserved && p.usable(a)
}

// lowestFree gives up to n free addresses of the ranges, in order.
func (p *addressPool) lowestFree(n int) []netip.Addr {
	var out []netip.Addr
	for _, r := range p.ranges {
		for a := r.first; a.IsValid() && r.contains(a) && len(out) < n; a = a.Next() {
			if p.free(a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// release frees all addresses of a NIC.
func (p *addressPool) release(owner string) {
	for a, holder := range p.inUse {
		if holder == owner {
			delete(p.inUse, a)
		}
	}
}

// rename gives the addresses of one NIC to another. The pool may be nil.
func (p *addressPool) rename(from, to string) {
	if p == nil {
		return
	}
	for a, holder := range p.inUse {
		if holder == from {
			p.inUse[a] = to
		}
	}
}

// rangeStats counts the addresses of one range and those of them that are free.
func (p *addressPool) rangeStats(r addressRange) (total, free int) {
	const countLimit = 1 << 20 // an IPv6 range is not counted to its end
	for a := r.first; a.IsValid() && r.contains(a) && total < countLimit; a = a.Next() {
		total++
		if p.free(a) {
			free++
		}
	}
	return total, free
}

// stats gives the number of addresses in use and of those in the ranges that are free.
func (p *addressPool) stats() (used, free int) {
	for _, r := range p.ranges {
		_, n := p.rangeStats(r)
		free += n
	}
	return len(p.inUse), free
}
