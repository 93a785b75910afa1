package nutanix

import (
	"net/netip"

	common "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
	"k8s.io/utils/ptr"
)

// parseAddress gives an invalid address for a text that is none.
func parseAddress(text string) netip.Addr {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap()
}

// ipAddress is an address in the form of the networking API. It has no prefix length: with one, Prism Central takes a
// virtual IP for a malformed "address/length".
func ipAddress(address netip.Addr) *common.IPAddress {
	out := common.NewIPAddress()
	if address.Is4() {
		out.Ipv4 = common.NewIPv4Address()
		out.Ipv4.Value, out.Ipv4.PrefixLength = ptr.To(address.String()), nil
		return out
	}
	out.Ipv6 = common.NewIPv6Address()
	out.Ipv6.Value, out.Ipv6.PrefixLength = ptr.To(address.String()), nil
	return out
}

func addressOf(in *common.IPAddress) netip.Addr {
	switch {
	case in == nil:
		return netip.Addr{}
	case in.Ipv4 != nil:
		return parseAddress(ptr.Deref(in.Ipv4.Value, ""))
	case in.Ipv6 != nil:
		return parseAddress(ptr.Deref(in.Ipv6.Value, ""))
	}
	return netip.Addr{}
}

// prefixOf gives an invalid prefix when one of its parts is missing or wrong.
func prefixOf(address netip.Addr, length *int) netip.Prefix {
	if !address.IsValid() || length == nil {
		return netip.Prefix{}
	}
	prefix, err := address.Prefix(*length)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
