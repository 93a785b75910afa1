package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// AddressRange is a range of addresses of one family, both ends included.
type AddressRange struct{ First, Last netip.Addr }

// ParseAddressRange reads an address ("10.0.0.1"), a range ("10.0.0.1-10.0.0.9") or a CIDR ("10.0.0.0/24"), IPv4 or IPv6.
func ParseAddressRange(text string) (AddressRange, error) {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return AddressRange{}, fmt.Errorf("parsing a CIDR: %w", err)
		}
		return ofPrefix(prefix.Masked()), nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err := parseAddress(from)
	if err != nil {
		return AddressRange{}, err
	}
	last, err := parseAddress(to)
	if err != nil {
		return AddressRange{}, err
	}
	if first.Is4() != last.Is4() {
		return AddressRange{}, errors.New("the ends of a range must be of one family")
	}
	if last.Less(first) {
		return AddressRange{}, errors.New("a range must start at its lower end")
	}
	return AddressRange{first, last}, nil
}

// Contains reports whether the address is in the range. IPv4 mapped to IPv6 is the IPv4 address.
func (r AddressRange) Contains(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return address.IsValid() && address.Is4() == r.First.Is4() && !address.Less(r.First) && !r.Last.Less(address)
}

func parseAddress(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("parsing an address: %w", err)
	}
	if address.Zone() != "" {
		return netip.Addr{}, errors.New("an address must have no zone")
	}
	return address.Unmap(), nil
}

// ofPrefix gives the range of a masked prefix.
func ofPrefix(prefix netip.Prefix) AddressRange {
	last := prefix.Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	end, _ := netip.AddrFromSlice(last)
	return AddressRange{prefix.Addr().Unmap(), end.Unmap()}
}
