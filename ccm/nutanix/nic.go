package nutanix

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
)

// nicModel is what is read of a NIC. NICNetworkInfo exists since v4.2 in one form for each kind of NIC; what it lacks is in
// NetworkInfo, which is all that an older Prism Central has. An SR-IOV NIC has a VLAN and neither subnet nor addresses.
type nicModel struct {
	reference
	NICNetworkInfo struct {
		Kind nicKind `json:"$objectType"`
		nicNetwork
	} `json:"nicNetworkInfo"`
	NetworkInfo nicNetwork `json:"networkInfo"`
}

// nicNetwork is what all kinds of NICs say of their network. A pointer tells what is empty from what is missing.
type nicNetwork struct {
	Subnet *reference `json:"subnet"`
	Config *struct {
		Address   textValue   `json:"ipAddress"`
		Secondary []textValue `json:"secondaryIpAddressList"`
	} `json:"ipv4Config"`
	Learned *struct {
		Addresses []textValue `json:"learnedIpAddresses"`
	} `json:"ipv4Info"`
	LearnedV6 struct {
		Addresses []textValue `json:"learnedIpv6Addresses"`
	} `json:"ipv6Info"`
}

// textValue is how an address is wrapped.
type textValue struct {
	Value string `json:"value"`
}

// nicKind is the vendor's type of a network, the last part of which counts.
type nicKind string

// UnmarshalText refuses a kind of which it is not known where it has its addresses.
func (k *nicKind) UnmarshalText(text []byte) error {
	*k = nicKind(text)
	switch string(text[bytes.LastIndexByte(text, '.')+1:]) {
	case "VirtualEthernetNicNetworkInfo", "DpOffloadNicNetworkInfo", "SriovNicNetworkInfo":
		return nil
	}
	return fmt.Errorf("a NIC of a kind that is not known: %s", text)
}

func nicOf(in *nicModel) NIC {
	now, old := in.NICNetworkInfo.nicNetwork, in.NetworkInfo
	out := NIC{UUID: in.uuid()}
	if subnet := cmp.Or(now.Subnet, old.Subnet); subnet != nil {
		out.SubnetUUID = subnet.uuid()
	}
	if config := cmp.Or(now.Config, old.Config); config != nil {
		out.Primary = parseAddress(config.Address.Value)
		out.Secondary = appendAddresses(nil, config.Secondary)
	}
	if learned := cmp.Or(now.Learned, old.Learned); learned != nil {
		out.Learned = appendAddresses(nil, learned.Addresses)
	}
	out.Learned = appendAddresses(out.Learned, now.LearnedV6.Addresses)
	return out
}

func appendAddresses(to []netip.Addr, texts []textValue) []netip.Addr {
	for _, text := range texts {
		if address := parseAddress(text.Value); address.IsValid() {
			to = append(to, address)
		}
	}
	return to
}
