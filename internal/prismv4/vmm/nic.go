package vmm

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
)

// NIC contains the fields of a NIC that are read. NICNetworkInfo exists since v4.2 and depends on the kind of the NIC. Fields that it lacks are
// in NetworkInfo, which is the only field of an older Prism Central. An SR-IOV NIC has a VLAN and neither subnet nor addresses.
type NIC struct {
	Reference
	NICNetworkInfo struct {
		Kind nicKind `json:"$objectType"`
		network
	} `json:"nicNetworkInfo"`
	NetworkInfo network `json:"networkInfo"`
}

// network contains the fields that all kinds of NICs have. A field is nil if it is missing.
type network struct {
	Subnet *Reference `json:"subnet"`
	Config *struct {
		Address   value   `json:"ipAddress"`
		Secondary []value `json:"secondaryIpAddressList"`
	} `json:"ipv4Config"`
	Learned *struct {
		Addresses []value `json:"learnedIpAddresses"`
	} `json:"ipv4Info"`
	LearnedV6 struct {
		Addresses []value `json:"learnedIpv6Addresses"`
	} `json:"ipv6Info"`
}

// value is the format of an address.
type value struct {
	Value string `json:"value"`
}

// nicKind is the type of NICNetworkInfo in the SDK. Only its last part matters.
type nicKind string

// UnmarshalText rejects an unknown kind, because its addresses may be in other fields.
func (k *nicKind) UnmarshalText(text []byte) error {
	*k = nicKind(text)
	switch string(text[bytes.LastIndexByte(text, '.')+1:]) {
	case "VirtualEthernetNicNetworkInfo", "DpOffloadNicNetworkInfo", "SriovNicNetworkInfo":
		return nil
	}
	return fmt.Errorf("a NIC of a kind that is not known: %s", text)
}

// SubnetUUID returns the UUID of the subnet, or an empty string.
func (n *NIC) SubnetUUID() string {
	if subnet := cmp.Or(n.NICNetworkInfo.Subnet, n.NetworkInfo.Subnet); subnet != nil {
		return subnet.UUID()
	}
	return ""
}

// Configured returns the configured address, which may be invalid, and the further configured addresses.
func (n *NIC) Configured() (primary netip.Addr, secondary []netip.Addr) {
	if config := cmp.Or(n.NICNetworkInfo.Config, n.NetworkInfo.Config); config != nil {
		return parse(config.Address.Value), appendAddresses(nil, config.Secondary)
	}
	return netip.Addr{}, nil
}

// Learned returns the addresses that Prism Central has seen in the network, IPv4 before IPv6. They can include virtual IPs.
func (n *NIC) Learned() []netip.Addr {
	var found []netip.Addr
	if learned := cmp.Or(n.NICNetworkInfo.Learned, n.NetworkInfo.Learned); learned != nil {
		found = appendAddresses(nil, learned.Addresses)
	}
	return appendAddresses(found, n.NICNetworkInfo.LearnedV6.Addresses)
}

func appendAddresses(to []netip.Addr, values []value) []netip.Addr {
	for _, one := range values {
		if address := parse(one.Value); address.IsValid() {
			to = append(to, address)
		}
	}
	return to
}

// parse returns an invalid address if text is not an address.
func parse(text string) netip.Addr {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap()
}
