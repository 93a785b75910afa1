package prismsim

import (
	"net/netip"
)

var subnetListing = v4Listing{
	filters: []string{
		"extId", "name", "subnetType", "networkId", "clusterReference", "vpcReference", "virtualSwitchReference",
		"isExternal", "isNatEnabled", "isAdvancedNetworking", "ipPrefix",
	},
	orders:  []string{"name", "subnetType", "networkId", "clusterReference", "vpcReference", "isExternal"},
	expands: []string{"vpc"},
}

func (api *networkAPI) v4ListSubnets(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := []object{}
	for _, n := range api.subnets {
		items = append(items, api.subnetObject(r, n))
	}
	api.mu.Unlock()
	return subnetListing.answer(r, items)
}

func (api *networkAPI) v4GetSubnet(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	n := api.subnetByUUID(r.PathValue("extId"))
	if n == nil {
		return nil, notThere("Get", kindSubnet, r.PathValue("extId"))
	}
	return &v4Answer{data: api.subnetObject(r, n), etag: revision(0).etag()}, nil
}

func (api *networkAPI) subnetObject(r *v4Request, n *network) object {
	out := typed(netType("Subnet"), object{
		"extId": n.UUID, "name": n.Name, "subnetType": n.Type, "isExternal": n.External, "isAdvancedNetworking": n.Type == typeOverlay,
		"links": selfLinks(r, "config/subnets/"+n.UUID), "metadata": api.netMetadata(nil), "hypervisorType": "acropolis",
	})
	if n.vpc != nil {
		out["vpcReference"] = n.vpc.UUID
		if r.URL.Query().Get("$expand") == "vpc" {
			out["vpc"] = api.vpcObject(r, n.vpc)
		}
	} else {
		out["networkId"], out["bridgeName"] = n.VLANID, "br0"
		out["clusterReference"], out["clusterName"] = n.element.UUID, n.element.Name
		out["virtualSwitchReference"] = deriveUUID("virtual_switch", n.PrismElement)
	}
	if n.External {
		out["isNatEnabled"] = n.translates()
	}
	if n.IPAM {
		out["ipConfig"], out["ipUsage"] = []object{ipConfig(n)}, ipUsage(n)
		out["ipPrefix"] = n.v4.prefix.String()
		out["reservedIpAddresses"] = addressObjects(reservedAddresses(n))
	}
	return out
}

func ipConfig(n *network) object {
	pools := []object{}
	for _, r := range n.v4.ranges {
		pools = append(pools, rangeObject(r))
	}
	return typed(netType("IPConfig"), object{"ipv4": typed(netType("IPv4Config"), object{
		"ipSubnet": ipv4SubnetObject(n.v4.prefix), "defaultGatewayIp": ipv4Object(n.gateway), "poolList": pools,
	})})
}

func rangeObject(r addressRange) object {
	return typed(netType("IPv4Pool"), object{"startIp": ipv4Object(r.first), "endIp": ipv4Object(r.last)})
}

func ipUsage(n *network) object {
	used, free := n.v4.stats()
	pools := []object{}
	for _, r := range n.v4.ranges {
		total, freeOfPool := n.v4.rangeStats(r)
		pools = append(pools, typed(netType("IPPoolUsage"), object{"range": rangeObject(r), "numTotalIPs": total, "numFreeIPs": freeOfPool}))
	}
	return typed(netType("IPUsage"), object{"numAssignedIPs": used, "numFreeIPs": free, "numMacs": used, "ipPoolUsages": pools})
}

var vpcListing = v4Listing{
	filters: []string{"extId", "name", "vpcType", "description"},
	orders:  []string{"name", "vpcType"},
}

func (api *networkAPI) v4ListVPCs(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := []object{}
	for _, v := range api.vpcs {
		items = append(items, api.vpcObject(r, v))
	}
	api.mu.Unlock()
	return vpcListing.answer(r, items)
}

func (api *networkAPI) v4GetVPC(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	v := api.vpcByUUID(r.PathValue("extId"))
	if v == nil {
		return nil, notThere("Get", netKind{word: "VPC"}, r.PathValue("extId"))
	}
	return &v4Answer{data: api.vpcObject(r, v), etag: revision(0).etag()}, nil
}

func (api *networkAPI) vpcObject(r *v4Request, v *privateCloud) object {
	externals, translated, prefixes := []object{}, []object{}, []object{}
	for _, up := range v.uplinks {
		externals = append(externals, typed(netType("ExternalSubnet"), object{
			"subnetReference": up.subnet.UUID, "externalIps": addressObjects([]netip.Addr{up.address}), "activeGatewayCount": 1,
		}))
		if up.subnet.translates() {
			translated = append(translated, addressObject(up.address))
		}
	}
	for _, text := range v.RoutablePrefixes {
		prefixes = append(prefixes, ipSubnetObject(netip.MustParsePrefix(text))) // checked with the inventory
	}
	out := typed(netType("Vpc"), object{
		"extId": v.UUID, "name": v.Name, "description": v.Description, "vpcType": "REGULAR",
		"links": selfLinks(r, "config/vpcs/"+v.UUID), "metadata": api.netMetadata(nil),
	})
	for name, list := range map[string][]object{"externalSubnets": externals, "snatIps": translated, "externallyRoutablePrefixes": prefixes} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	return out
}
