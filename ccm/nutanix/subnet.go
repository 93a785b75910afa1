package nutanix

import (
	"context"
	"net/netip"

	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

// ListSubnets implements Subnets.
func (c *Client) ListSubnets(ctx context.Context, name string) ([]Subnet, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[networking.Subnet, Subnet]{
		Operation: "ListSubnets", Namespace: prismv4.Networking, Path: "/config/subnets", Where: []prismv4.Condition{prismv4.Equals("name", name)},
		Keep: func(subnet *Subnet) bool { return name == "" || subnet.Name == name },
		Key:  func(subnet *networking.Subnet) string { return lower(subnet.ExtId) },
		Item: subnetOf,
	})
}

func subnetOf(in *networking.Subnet) Subnet {
	external := ptr.Deref(in.IsExternal, false)
	return Subnet{
		UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, ""), VPCUUID: lower(in.VpcReference), IsExternal: external,
		// "NAT is enabled by default on external subnets" (model of isNatEnabled).
		IsNAT:  external && ptr.Deref(in.IsNatEnabled, true),
		Prefix: prefixOfSubnet(in),
	}
}

// prefixOfSubnet reads the IPv4 configuration, and the text of the range where a list leaves the configuration out.
func prefixOfSubnet(in *networking.Subnet) netip.Prefix {
	for _, config := range in.IpConfig {
		if config.Ipv4 == nil || config.Ipv4.IpSubnet == nil || config.Ipv4.IpSubnet.Ip == nil {
			continue
		}
		subnet := config.Ipv4.IpSubnet
		if prefix := prefixOf(parseAddress(ptr.Deref(subnet.Ip.Value, "")), subnet.PrefixLength); prefix.IsValid() {
			return prefix
		}
	}
	prefix, err := netip.ParsePrefix(ptr.Deref(in.IpPrefix, ""))
	if err != nil || !prefix.Addr().Is4() {
		return netip.Prefix{}
	}
	return prefix.Masked()
}

// ListVPCs implements Subnets.
func (c *Client) ListVPCs(ctx context.Context, name string) ([]VPC, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[networking.Vpc, VPC]{
		Operation: "ListVPCs", Namespace: prismv4.Networking, Path: "/config/vpcs", Where: []prismv4.Condition{prismv4.Equals("name", name)},
		Keep: func(vpc *VPC) bool { return name == "" || vpc.Name == name },
		Key:  func(vpc *networking.Vpc) string { return lower(vpc.ExtId) },
		Item: func(in *networking.Vpc) VPC { return VPC{UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, "")} },
	})
}
