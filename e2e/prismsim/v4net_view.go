package prismsim

import (
	"net/netip"
	"slices"
	"strings"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// netType gives the name of a type of the networking API.
func netType(name string) string { return "networking.v4.config." + name }

// addressObject writes an address of either family.
func addressObject(a netip.Addr) object {
	if !a.Is4() {
		return typed("common.v1.config.IPAddress", object{"ipv6": typed("common.v1.config.IPv6Address", object{"value": a.String(), "prefixLength": a.BitLen()})})
	}
	return typed("common.v1.config.IPAddress", object{"ipv4": ipv4Object(a)})
}

func ipv4Object(a netip.Addr) object {
	return typed("common.v1.config.IPv4Address", object{"value": a.String(), "prefixLength": a.BitLen()})
}

func ipv4SubnetObject(p netip.Prefix) object {
	return typed(netType("IPv4Subnet"), object{"ip": ipv4Object(p.Addr()), "prefixLength": p.Bits()})
}

func ipSubnetObject(p netip.Prefix) object {
	return typed(netType("IPSubnet"), object{"ipv4": ipv4SubnetObject(p)})
}

func addressObjects(addresses []netip.Addr) []object {
	out := []object{}
	for _, a := range addresses {
		out = append(out, addressObject(a))
	}
	return out
}

// netMetadata gives what a client set, and the owner.
func (api *networkAPI) netMetadata(set *commonconfig.Metadata) object {
	out := object{}
	if set != nil {
		out = objectOf(set)
	}
	if out["ownerReferenceId"] == nil {
		out["ownerReferenceId"], out["ownerUserName"] = api.ownerUUID, api.username
	}
	return typed("common.v1.config.Metadata", out)
}

// readAddress reads an address of a request; the zero address means that there is none. What is no address is refused.
func readAddress(at string, in *commonconfig.IPAddress) (netip.Addr, int, error) {
	text, length := "", 0
	switch {
	case in == nil:
		return netip.Addr{}, 0, nil
	case in.Ipv4 != nil && in.Ipv4.Value != nil:
		text, length = *in.Ipv4.Value, valueOr(in.Ipv4.PrefixLength, 32)
	case in.Ipv6 != nil && in.Ipv6.Value != nil:
		text, length = *in.Ipv6.Value, valueOr(in.Ipv6.PrefixLength, 128)
	default:
		return netip.Addr{}, 0, netRequired(at, map[string]bool{"value": false})
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, 0, invalidBody(at, "%q is not a valid IP address", text)
	}
	return a, length, nil
}

// netRequired refuses a body without the properties that are false, in words on record (nutanix.ansible, pull request 1006);
// the whole body is at "".
func netRequired(at string, there map[string]bool) error {
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
	return invalidBody(at, `ERROR - Object has missing required properties (["%s"]): []`, strings.Join(missing, `","`))
}

// netEnum refuses a value that is not one of those that are allowed.
func netEnum(at, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return invalidBody(at, `ERROR - Instance value (%q) not found in enum (possible values: ["%s"]): []`, value, strings.Join(allowed, `","`))
}
