package networking

import (
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

var subnetListing = v4.Listing{
	Filters: []string{
		"extId", "name", "subnetType", "networkId", "clusterReference", "vpcReference", "virtualSwitchReference",
		"isExternal", "isNatEnabled", "isAdvancedNetworking", "ipPrefix",
	},
	Orders:  []string{"name", "subnetType", "networkId", "clusterReference", "vpcReference", "isExternal"},
	Expands: []string{"vpc"},
}

func (api *API) listSubnets(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items := []v4.Object{}
	for _, n := range api.Subnets {
		items = append(items, api.subnetObject(r, n))
	}
	api.Mu.Unlock()
	return subnetListing.Respond(r, items)
}

func (api *API) getSubnet(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	n := api.SubnetByUUID(r.PathValue("extId"))
	if n == nil {
		return nil, notThere("Get", kindSubnet, r.PathValue("extId"))
	}
	return &v4.Response{Data: api.subnetObject(r, n), ETag: model.Revision(0).ETag()}, nil
}

func (api *API) subnetObject(r *v4.Request, n *model.Subnet) v4.Object {
	out := v4.Typed(typeName("Subnet"), v4.Object{
		"extId": n.UUID, "name": n.Name, "subnetType": n.Type, "isExternal": n.External, "isAdvancedNetworking": n.Type == inventory.TypeOverlay,
		"links": v4.SelfLinks(r, "config/subnets/"+n.UUID), "metadata": api.metadataObject(nil), "hypervisorType": "acropolis",
	})
	if n.InVPC != nil {
		out["vpcReference"] = n.InVPC.UUID
		if r.URL.Query().Get("$expand") == "vpc" {
			out["vpc"] = api.vpcObject(r, n.InVPC)
		}
	} else {
		out["networkId"], out["bridgeName"] = n.VLANID, "br0"
		out["clusterReference"], out["clusterName"] = n.Element.UUID, n.Element.Name
		out["virtualSwitchReference"] = inventory.DeriveUUID("virtual_switch", n.PrismElement)
	}
	if n.External {
		out["isNatEnabled"] = n.Translates()
	}
	if n.IPAM {
		out["ipConfig"], out["ipUsage"] = []v4.Object{ipConfig(n)}, ipUsage(n)
		out["ipPrefix"] = n.V4.Prefix.String()
		out["reservedIpAddresses"] = addressObjects(reservedAddresses(n))
	}
	return out
}

func ipConfig(n *model.Subnet) v4.Object {
	pools := []v4.Object{}
	for _, r := range n.V4.Ranges {
		pools = append(pools, rangeObject(r))
	}
	return v4.Typed(typeName("IPConfig"), v4.Object{"ipv4": v4.Typed(typeName("IPv4Config"), v4.Object{
		"ipSubnet": ipv4SubnetObject(n.V4.Prefix), "defaultGatewayIp": ipv4Object(n.Gateway), "poolList": pools,
	})})
}

func rangeObject(r ipam.Range) v4.Object {
	return v4.Typed(typeName("IPv4Pool"), v4.Object{"startIp": ipv4Object(r.First), "endIp": ipv4Object(r.Last)})
}

func ipUsage(n *model.Subnet) v4.Object {
	used, free := n.V4.Stats()
	pools := []v4.Object{}
	for _, r := range n.V4.Ranges {
		total, freeOfPool := n.V4.RangeStats(r)
		pools = append(pools, v4.Typed(typeName("IPPoolUsage"), v4.Object{"range": rangeObject(r), "numTotalIPs": total, "numFreeIPs": freeOfPool}))
	}
	return v4.Typed(typeName("IPUsage"), v4.Object{"numAssignedIPs": used, "numFreeIPs": free, "numMacs": used, "ipPoolUsages": pools})
}

var vpcListing = v4.Listing{
	Filters: []string{"extId", "name", "vpcType", "description"},
	Orders:  []string{"name", "vpcType"},
}

func (api *API) listVPCs(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items := []v4.Object{}
	for _, v := range api.VPCs {
		items = append(items, api.vpcObject(r, v))
	}
	api.Mu.Unlock()
	return vpcListing.Respond(r, items)
}

func (api *API) getVPC(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	v := api.VPCByUUID(r.PathValue("extId"))
	if v == nil {
		return nil, notThere("Get", entityKind{word: "VPC"}, r.PathValue("extId"))
	}
	return &v4.Response{Data: api.vpcObject(r, v), ETag: model.Revision(0).ETag()}, nil
}

func (api *API) vpcObject(r *v4.Request, v *model.VPC) v4.Object {
	externals, translated, prefixes := []v4.Object{}, []v4.Object{}, []v4.Object{}
	for _, up := range v.Uplinks {
		externals = append(externals, v4.Typed(typeName("ExternalSubnet"), v4.Object{
			"subnetReference": up.Subnet.UUID, "externalIps": addressObjects([]netip.Addr{up.Address}), "activeGatewayCount": 1,
		}))
		if up.Subnet.Translates() {
			translated = append(translated, addressObject(up.Address))
		}
	}
	for _, text := range v.RoutablePrefixes {
		prefixes = append(prefixes, ipSubnetObject(netip.MustParsePrefix(text))) // validated with the inventory
	}
	out := v4.Typed(typeName("Vpc"), v4.Object{
		"extId": v.UUID, "name": v.Name, "description": v.Description, "vpcType": "REGULAR",
		"links": v4.SelfLinks(r, "config/vpcs/"+v.UUID), "metadata": api.metadataObject(nil),
	})
	for name, list := range map[string][]v4.Object{"externalSubnets": externals, "snatIps": translated, "externallyRoutablePrefixes": prefixes} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	return out
}
