// Package ipam assigns the IP addresses of subnets.
package ipam

import (
	"fmt"
	"net/netip"
	"strings"
)

// Range is an inclusive range of addresses of one family.
type Range struct{ First, Last netip.Addr }

func (r Range) contains(a netip.Addr) bool {
	return a.Compare(r.First) >= 0 && a.Compare(r.Last) <= 0
}

// ParseRange parses "first-last" or a single address. Both ends must be inside prefix.
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

// Pool assigns the addresses of one subnet. An address is assigned to only one NIC at a time. The pool assigns a
// released address again only after all other free addresses, so that a new VM does not get the address of a VM that
// was just deleted.
type Pool struct {
	Prefix       netip.Prefix
	Ranges       []Range
	unusable     map[netip.Addr]bool   // network, gateway, broadcast
	InUse        map[netip.Addr]string // UUID of the NIC, or name of another owner, by address
	Reservations map[netip.Addr]string // client context of the reservation, by address
	last         netip.Addr
}

// New returns a pool for a validated CIDR and validated ranges. The pool never assigns unusable addresses.
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

// Take assigns the next free address to owner.
func (p *Pool) Take(owner string) (netip.Addr, bool) {
	if a, ok := p.scan(p.last, owner); ok {
		return a, true
	}
	return p.scan(netip.Addr{}, owner)
}

// scan assigns the first free address after the address after. If after is the zero value, scan begins with the first
// range.
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

// Claim assigns an address to owner and reports whether owner now has the address. It returns false if another owner
// has the address, or if the address is reserved or unusable.
func (p *Pool) Claim(a netip.Addr, owner string) bool {
	if _, reserved := p.Reservations[a]; reserved && p.InUse[a] != owner {
		return false
	}
	return p.hold(a, owner)
}

// hold is like Claim, but the address may be reserved.
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

// Usable reports whether the pool may ever assign the address.
func (p *Pool) Usable(a netip.Addr) bool { return p.Prefix.Contains(a) && !p.unusable[a] }

// free reports whether an address is usable, not reserved and not in use.
func (p *Pool) free(a netip.Addr) bool {
	_, used := p.InUse[a]
	_, reserved := p.Reservations[a]
	return !used && !reserved && p.Usable(a)
}

// LowestFree returns the n lowest free addresses of the ranges, or all free addresses if there are fewer than n.
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

// Release frees all addresses of owner.
func (p *Pool) Release(owner string) {
	for a, holder := range p.InUse {
		if holder == owner {
			delete(p.InUse, a)
		}
	}
}

// Rename moves the addresses of the owner from to the owner to. The pool may be nil.
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

// RangeStats returns the number of all addresses and of free addresses in the range r.
func (p *Pool) RangeStats(r Range) (total, free int) {
	const countLimit = 1 << 20 // IPv6 ranges are too large to count
	for a := r.First; a.IsValid() && r.contains(a) && total < countLimit; a = a.Next() {
		total++
		if p.free(a) {
			free++
		}
	}
	return total, free
}

// Stats returns the number of addresses in use, and the number of free addresses in the ranges.
func (p *Pool) Stats() (used, free int) {
	for _, r := range p.Ranges {
		_, n := p.RangeStats(r)
		free += n
	}
	return len(p.InUse), free
}

// Address parses a validated address. It returns the zero address for an empty string.
func Address(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}
