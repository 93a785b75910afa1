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

func (s *Server) v4ListSubnets(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	items := []object{}
	for _, n := range s.estate.subnets {
		items = append(items, s.subnetObject(r, n))
	}
	s.mu.Unlock()
	return subnetListing.answer(r, items)
}

func (s *Server) v4GetSubnet(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.estate.subnetByUUID(r.PathValue("extId"))
	if n == nil {
		return nil, notThere("Get", kindSubnet, r.PathValue("extId"))
	}
	return &v4Answer{data: s.subnetObject(r, n), etag: revision(0).etag()}, nil
}

func (s *Server) subnetObject(r *v4Request, n *network) object {
	out := typed(netType("Subnet"), object{
		"extId": n.UUID, "name": n.Name, "subnetType": n.Type, "isExternal": n.External, "isAdvancedNetworking": n.Type == typeOverlay,
		"links": selfLinks(r, "config/subnets/"+n.UUID), "metadata": s.netMetadata(nil), "hypervisorType": "acropolis",
	})
	if n.vpc != nil {
		out["vpcReference"] = n.vpc.UUID
		if r.URL.Query().Get("$expand") == "vpc" {
			out["vpc"] = s.vpcObject(r, n.vpc)
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
		out["ipConfig"], out["ipUsage"] = []object{n.ipConfig()}, n.ipUsage()
		out["ipPrefix"] = n.v4.prefix.String()
		out["reservedIpAddresses"] = addressObjects(n.reservedAddresses())
	}
	return out
}

func (n *network) ipConfig() object {
	pools := []object{}
	for _, r := range n.v4.ranges {
		pools = append(pools, r.object())
	}
	return typed(netType("IPConfig"), object{"ipv4": typed(netType("IPv4Config"), object{
		"ipSubnet": ipv4SubnetObject(n.v4.prefix), "defaultGatewayIp": ipv4Object(n.gateway), "poolList": pools,
	})})
}

func (r addressRange) object() object {
	return typed(netType("IPv4Pool"), object{"startIp": ipv4Object(r.first), "endIp": ipv4Object(r.last)})
}

func (n *network) ipUsage() object {
	used, free := n.v4.stats()
	pools := []object{}
	for _, r := range n.v4.ranges {
		total, freeOfPool := n.v4.rangeStats(r)
		pools = append(pools, typed(netType("IPPoolUsage"), object{"range": r.object(), "numTotalIPs": total, "numFreeIPs": freeOfPool}))
	}
	return typed(netType("IPUsage"), object{"numAssignedIPs": used, "numFreeIPs": free, "numMacs": used, "ipPoolUsages": pools})
}

var vpcListing = v4Listing{
	filters: []string{"extId", "name", "vpcType", "description"},
	orders:  []string{"name", "vpcType"},
}

func (s *Server) v4ListVPCs(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	items := []object{}
	for _, v := range s.estate.vpcs {
		items = append(items, s.vpcObject(r, v))
	}
	s.mu.Unlock()
	return vpcListing.answer(r, items)
}

func (s *Server) v4GetVPC(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.estate.vpcByUUID(r.PathValue("extId"))
	if v == nil {
		return nil, notThere("Get", netKind{word: "VPC"}, r.PathValue("extId"))
	}
	return &v4Answer{data: s.vpcObject(r, v), etag: revision(0).etag()}, nil
}

func (s *Server) vpcObject(r *v4Request, v *privateCloud) object {
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
		"links": selfLinks(r, "config/vpcs/"+v.UUID), "metadata": s.netMetadata(nil),
	})
	for name, list := range map[string][]object{"externalSubnets": externals, "snatIps": translated, "externallyRoutablePrefixes": prefixes} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	return out
}
