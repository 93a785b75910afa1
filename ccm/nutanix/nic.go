package nutanix

import (
	"net/netip"

	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
	"k8s.io/utils/ptr"
)

// nicNetwork is what all kinds of NICs say of their network.
type nicNetwork struct {
	subnet  *vmm.SubnetReference
	config  *vmm.Ipv4Config
	learned *vmm.Ipv4Info
	v6      *vmm.Ipv6Info
}

func nicOf(in *vmm.Nic) NIC {
	network := networkOf(in)
	out := NIC{UUID: lower(in.ExtId)}
	if network.subnet != nil {
		out.SubnetUUID = lower(network.subnet.ExtId)
	}
	if config := network.config; config != nil {
		if config.IpAddress != nil {
			out.Primary = parseAddress(ptr.Deref(config.IpAddress.Value, ""))
		}
		for _, address := range config.SecondaryIpAddressList {
			out.Secondary = appendAddress(out.Secondary, address.Value)
		}
	}
	if network.learned != nil {
		for _, address := range network.learned.LearnedIpAddresses {
			out.Learned = appendAddress(out.Learned, address.Value)
		}
	}
	if network.v6 != nil {
		for _, address := range network.v6.LearnedIpv6Addresses {
			out.Learned = appendAddress(out.Learned, address.Value)
		}
	}
	return out
}

// networkOf reads nicNetworkInfo, which exists since v4.2 in one form for each kind of NIC, and fills what is missing from
// networkInfo, which is all that an older Prism Central has. An SR-IOV NIC has a VLAN and neither subnet nor addresses.
func networkOf(in *vmm.Nic) nicNetwork {
	var out nicNetwork
	if in.NicNetworkInfo != nil {
		switch info := in.NicNetworkInfo.GetValue().(type) {
		case vmm.VirtualEthernetNicNetworkInfo:
			out = nicNetwork{subnet: info.Subnet, config: info.Ipv4Config, learned: info.Ipv4Info, v6: info.Ipv6Info}
		case vmm.DpOffloadNicNetworkInfo:
			out = nicNetwork{subnet: info.Subnet, config: info.Ipv4Config, learned: info.Ipv4Info, v6: info.Ipv6Info}
		}
	}
	if old := in.NetworkInfo; old != nil {
		out.subnet = orElse(out.subnet, old.Subnet)
		out.config = orElse(out.config, old.Ipv4Config)
		out.learned = orElse(out.learned, old.Ipv4Info)
	}
	return out
}

func orElse[T any](first, second *T) *T {
	if first != nil {
		return first
	}
	return second
}

func appendAddress(to []netip.Addr, text *string) []netip.Addr {
	if address := parseAddress(ptr.Deref(text, "")); address.IsValid() {
		return append(to, address)
	}
	return to
}
