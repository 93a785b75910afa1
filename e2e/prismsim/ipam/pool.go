package ipam

import (
	"fmt"
	"net/netip"
	"strings"
)

// Range is an inclusive range of one family.
type Range struct{ First, Last netip.Addr }

func (r Range) contains(a netip.Addr) bool {
	return a.Compare(r.First) >= 0 && a.Compare(r.Last) <= 0
}

// ParseRange reads "first-last" (or a single address) inside a prefix.
func ParseRange(prefix netip.Prefix, text string) (Range, error) {
	from, to, both := strings.Cut(text, "-")
	if !both {
		to = from
	}
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a range such as 127.40.1.10-127.40.1.250", text)
	}
	last, err := netip.ParseAddr(strings.TrimSpace(to))
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a range such as 127.40.1.10-127.40.1.250", text)
	}
	if !prefix.Contains(first) || !prefix.Contains(last) {
		return Range{}, fmt.Errorf("range %s is not inside %s", text, prefix)
	}
	if last.Less(first) {
		return Range{}, fmt.Errorf("range %s ends before it begins", text)
	}
	return Range{first, last}, nil
}

// Pool hands out addresses of one subnet. An address is given to one NIC at a time; freed addresses come round
// again only after the others, so that a new VM does not meet the leftovers of an old one.
type Pool struct {
	Prefix       netip.Prefix
	Ranges       []Range
	unusable     map[netip.Addr]bool   // network, gateway, broadcast
	InUse        map[netip.Addr]string // NIC UUID, or who else holds it
	Reservations map[netip.Addr]string // client context of who had it reserved
	last         netip.Addr
}

// New takes checked texts; unusable addresses are never given.
func New(cidr string, pools []string, unusable ...netip.Addr) (*Pool, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("parsing CIDR: %w", err)
	}
	p := &Pool{
		Prefix: prefix.Masked(), InUse: map[netip.Addr]string{}, unusable: map[netip.Addr]bool{}, Reservations: map[netip.Addr]string{},
	}
	for _, text := range pools {
		r, err := ParseRange(prefix, text)
		if err != nil {
			return nil, err
		}
		p.Ranges = append(p.Ranges, r)
	}
	for _, a := range append(unusable, p.Prefix.Addr()) {
		p.unusable[a] = true
	}
	return p, nil
}

// Take gives the next free address to a NIC.
func (p *Pool) Take(owner string) (netip.Addr, bool) {
	if a, ok := p.scan(p.last, owner); ok {
		return a, true
	}
	return p.scan(netip.Addr{}, owner)
}

// scan looks for a free address after the given one; the zero address means from the start.
func (p *Pool) scan(after netip.Addr, owner string) (netip.Addr, bool) {
	started := !after.IsValid()
	for _, r := range p.Ranges {
		a := r.First
		if !started {
			if !r.contains(after) {
				continue
			}
			started, a = true, after.Next()
		}
		for ; a.IsValid() && r.contains(a); a = a.Next() {
			if p.Claim(a, owner) {
				p.last = a
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

// Claim gives a certain address to a NIC unless it is reserved or in use.
func (p *Pool) Claim(a netip.Addr, owner string) bool {
	if _, reserved := p.Reservations[a]; reserved && p.InUse[a] != owner {
		return false
	}
	return p.hold(a, owner)
}

// hold gives a certain address to an owner unless it is in use; a reservation is no obstacle.
func (p *Pool) hold(a netip.Addr, owner string) bool {
	holder, used := p.InUse[a]
	if used && holder == owner {
		return true
	}
	if used || !p.Usable(a) {
		return false
	}
	p.InUse[a] = owner
	return true
}

// Usable tells whether an address can be given at all.
func (p *Pool) Usable(a netip.Addr) bool { return p.Prefix.Contains(a) && !p.unusable[a] }

// free tells whether an address is usable, not reserved and not in use.
func (p *Pool) free(a netip.Addr) bool {
	_, used := p.InUse[a]
	_, reserved := p.Reservations[a]
	return !used && !reserved && p.Usable(a)
}

// LowestFree gives up to n free addresses of the ranges, in order.
func (p *Pool) LowestFree(n int) []netip.Addr {
	var out []netip.Addr
	for _, r := range p.Ranges {
		for a := r.First; a.IsValid() && r.contains(a) && len(out) < n; a = a.Next() {
			if p.free(a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// Release frees all addresses of a NIC.
func (p *Pool) Release(owner string) {
	for a, holder := range p.InUse {
		if holder == owner {
			delete(p.InUse, a)
		}
	}
}

// Rename gives the addresses of one NIC to another. The pool may be nil.
func (p *Pool) Rename(from, to string) {
	if p == nil {
		return
	}
	for a, holder := range p.InUse {
		if holder == from {
			p.InUse[a] = to
		}
	}
}

// RangeStats counts the addresses of one range and those of them that are free.
func (p *Pool) RangeStats(r Range) (total, free int) {
	const countLimit = 1 << 20 // an IPv6 range is not counted to its end
	for a := r.First; a.IsValid() && r.contains(a) && total < countLimit; a = a.Next() {
		total++
		if p.free(a) {
			free++
		}
	}
	return total, free
}

// Stats gives the number of addresses in use and of those in the ranges that are free.
func (p *Pool) Stats() (used, free int) {
	for _, r := range p.Ranges {
		_, n := p.RangeStats(r)
		free += n
	}
	return len(p.InUse), free
}

// Address parses an address that this package wrote; the zero address is none.
func Address(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}
