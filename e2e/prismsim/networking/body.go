package networking

import (
	"net/netip"
	"slices"
	"strings"

	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// typeName returns the full name of a type in the networking namespace.
func typeName(name string) string { return "networking.v4.config." + name }

// addressObject returns an IPv4 or IPv6 address as an IPAddress object.
func addressObject(a netip.Addr) v4.Object {
	if !a.Is4() {
		return v4.Typed("common.v1.config.IPAddress", v4.Object{"ipv6": v4.Typed("common.v1.config.IPv6Address", v4.Object{"value": a.String(), "prefixLength": a.BitLen()})})
	}
	return v4.Typed("common.v1.config.IPAddress", v4.Object{"ipv4": ipv4Object(a)})
}

func ipv4Object(a netip.Addr) v4.Object {
	return v4.Typed("common.v1.config.IPv4Address", v4.Object{"value": a.String(), "prefixLength": a.BitLen()})
}

func ipv4SubnetObject(p netip.Prefix) v4.Object {
	return v4.Typed(typeName("IPv4Subnet"), v4.Object{"ip": ipv4Object(p.Addr()), "prefixLength": p.Bits()})
}

func ipSubnetObject(p netip.Prefix) v4.Object {
	return v4.Typed(typeName("IPSubnet"), v4.Object{"ipv4": ipv4SubnetObject(p)})
}

func addressObjects(addresses []netip.Addr) []v4.Object {
	out := []v4.Object{}
	for _, a := range addresses {
		out = append(out, addressObject(a))
	}
	return out
}

// metadataObject returns the metadata that a client has set, with the owner added.
func (api *API) metadataObject(set *commonconfig.Metadata) v4.Object {
	out := v4.Object{}
	if set != nil {
		out = v4.ObjectOf(set)
	}
	if out["ownerReferenceId"] == nil {
		out["ownerReferenceId"], out["ownerUserName"] = api.OwnerUUID, api.Username
	}
	return v4.Typed("common.v1.config.Metadata", out)
}

// readAddress parses an address in a request. It returns the zero address if in is nil, and an error if in is not a
// valid address.
func readAddress(at string, in *commonconfig.IPAddress) (netip.Addr, int, error) {
	text, length := "", 0
	switch {
	case in == nil:
		return netip.Addr{}, 0, nil
	case in.Ipv4 != nil && in.Ipv4.Value != nil:
		text, length = *in.Ipv4.Value, wire.ValueOr(in.Ipv4.PrefixLength, 32)
	case in.Ipv6 != nil && in.Ipv6.Value != nil:
		text, length = *in.Ipv6.Value, wire.ValueOr(in.Ipv6.PrefixLength, 128)
	default:
		return netip.Addr{}, 0, checkRequired(at, map[string]bool{"value": false})
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, 0, v4.InvalidBody(at, "%q is not a valid IP address", text)
	}
	return a, length, nil
}

// checkRequired returns an error if a body lacks required properties. at is the field that lacks them, or empty for the
// whole body. Pull request 1006 of nutanix.ansible contains the message of a real Prism Central.
func checkRequired(at string, there map[string]bool) error {
	var missing []string
	for name, ok := range there {
		if !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return v4.InvalidBody(at, `ERROR - Object has missing required properties (["%s"]): []`, strings.Join(missing, `","`))
}

// checkEnum returns an error if value is not one of the allowed values.
func checkEnum(at, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return v4.InvalidBody(at, `ERROR - Instance value (%q) not found in enum (possible values: ["%s"]): []`, value, strings.Join(allowed, `","`))
}
