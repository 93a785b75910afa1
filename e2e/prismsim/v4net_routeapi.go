package prismsim

import (
	"net/netip"

	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

var (
	routeTableListing = v4Listing{filters: []string{"extId", "vpcReference"}, orders: []string{"extId", "vpcReference"}}
	routeListing      = v4Listing{
		filters: []string{"extId", "name", "vpcReference", "routeTableReference", "routeType", "isActive", "priority", "nexthop/nexthopType"},
		orders:  []string{"extId", "name", "priority", "routeType"},
	}
)

func (s *Server) v4ListRouteTables(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	items := []object{}
	for _, v := range s.estate.vpcs {
		items = append(items, s.routeTableObject(r, v))
	}
	s.mu.Unlock()
	return routeTableListing.answer(r, items)
}

// routeTable finds the VPC of the route table of a request; the caller holds the mutex.
func (s *Server) routeTable(verb, id string) (*privateCloud, error) {
	if found := s.estate.vpcByTable(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, netKind{word: "Route Table"}, id)
}

func (s *Server) v4GetRouteTable(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.routeTable("Get", r.PathValue("extId"))
	if err != nil {
		return nil, err
	}
	return &v4Answer{data: s.routeTableObject(r, found), etag: revision(0).etag()}, nil
}

func (s *Server) routeTableObject(r *v4Request, v *privateCloud) object {
	return typed(netType("RouteTable"), object{
		"extId": v.tableUUID, "vpcReference": v.UUID, "metadata": s.netMetadata(nil), "links": selfLinks(r, "config/route-tables/"+v.tableUUID),
	})
}

func (s *Server) v4ListRoutes(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	vpc, err := s.routeTable("List Routes of", r.PathValue("routeTableExtId"))
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	items := []object{}
	for _, local := range vpc.localRoutes() {
		items = append(items, s.localRouteObject(r, vpc, local))
	}
	for _, route := range vpc.routes.listed(s.estate.rules.lag("route")) {
		items = append(items, s.routeObject(r, vpc, route))
	}
	s.mu.Unlock()
	return routeListing.answer(r, items)
}

func (s *Server) v4GetRoute(r *v4Request) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, err := s.routeTable("Get", r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("extId")
	if route := vpc.routeByUUID(id); route != nil {
		return &v4Answer{data: s.routeObject(r, vpc, route), etag: route.version.etag()}, nil
	}
	if local, ok := vpc.localRoute(id); ok {
		return &v4Answer{data: s.localRouteObject(r, vpc, local), etag: revision(0).etag()}, nil
	}
	return nil, notThere("Get", kindRoute, id)
}

func (s *Server) v4CreateRoute(r *v4Request) (*v4Answer, error) {
	spec, err := readRoute(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, err := s.routeTable("Create Route in", r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	return s.orderNet(r, creating(kindRoute, spec.name, func(id string) *netFailure {
		return vpc.createRoute(id, spec, s.estate.networkRules, len(s.estate.staticRoutes()))
	}))
}

func (s *Server) v4UpdateRoute(r *v4Request) (*v4Answer, error) {
	spec, err := readRoute(r)
	if err != nil {
		return nil, err
	}
	return s.changeRoute(r, updating, "Update", func(vpc *privateCloud, found *staticRoute) *netFailure {
		return vpc.updateRoute(found, spec, s.estate.networkRules)
	})
}

func (s *Server) v4DeleteRoute(r *v4Request) (*v4Answer, error) {
	return s.changeRoute(r, deleting, "Delete", func(vpc *privateCloud, found *staticRoute) *netFailure {
		vpc.routes.remove(found)
		return nil
	})
}

// changeRoute starts an update or a deletion of a static route. The task of a change to a local route fails.
func (s *Server) changeRoute(r *v4Request, kind changeMaker, verb string, work func(*privateCloud, *staticRoute) *netFailure) (*v4Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	vpc, err := s.routeTable(verb, r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("extId")
	if _, ok := vpc.localRoute(id); ok {
		return s.orderNet(r, kind(kindRoute, id, nil, func() *netFailure { return netInvalid("Local route %s cannot be changed", id) }))
	}
	found := vpc.routeByUUID(id)
	if found == nil {
		return nil, notThere(verb, kindRoute, id)
	}
	if err := s.netIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return s.orderNet(r, kind(kindRoute, id, &found.queue, func() *netFailure {
		if vpc.routeByUUID(id) == nil {
			return netNotFound("Route %s not found", id)
		}
		return work(vpc, found)
	}))
}

// readRoute reads a route of a request. Only static ones can be made.
func readRoute(r *v4Request) (routeSpec, error) {
	var in netconfig.Route
	if err := r.decode(&in); err != nil {
		return routeSpec{}, err
	}
	ipv4 := orZero(in.Destination).Ipv4
	err := netRequired("", map[string]bool{
		"routeType": in.RouteType != nil, "destination": ipv4 != nil && ipv4.Ip != nil && ipv4.PrefixLength != nil,
		"nexthop": in.Nexthop != nil && in.Nexthop.NexthopType != nil,
	})
	if err != nil {
		return routeSpec{}, err
	}
	if err := netEnum("routeType", in.RouteType.GetName(), routeStatic); err != nil {
		return routeSpec{}, err
	}
	out := routeSpec{name: orZero(in.Name), description: orZero(in.Description), vpcUUID: orZero(in.VpcReference), metadata: in.Metadata}
	address, err := netip.ParseAddr(orZero(ipv4.Ip.Value))
	if err != nil || !address.Is4() || *ipv4.PrefixLength < 0 || *ipv4.PrefixLength > address.BitLen() {
		return out, invalidBody("destination.ipv4", "%q/%d is not an IPv4 subnet", orZero(ipv4.Ip.Value), *ipv4.PrefixLength)
	}
	out.destination = netip.PrefixFrom(address, *ipv4.PrefixLength)
	out.hop = nextHop{kind: in.Nexthop.NexthopType.GetName(), reference: orZero(in.Nexthop.NexthopReference)}
	if out.hop.address, _, err = readAddress("nexthop.nexthopIpAddress", in.Nexthop.NexthopIpAddress); err != nil {
		return out, err
	}
	if out.hop.kind == hopAddress {
		err = netRequired("nexthop", map[string]bool{"nexthopIpAddress": out.hop.address.IsValid()})
	}
	return out, err
}

func (s *Server) routeObject(r *v4Request, v *privateCloud, route *staticRoute) object {
	hop := object{"nexthopType": route.hop.kind}
	if route.hop.kind == hopAddress {
		hop["nexthopIpAddress"], hop["nexthopName"] = addressObject(route.hop.address), route.hop.address.String()
	} else if n := s.estate.subnetByUUID(route.hop.reference); n != nil {
		hop["nexthopReference"], hop["nexthopName"], hop["nexthopIpAddress"] = n.UUID, n.Name, addressObject(n.gateway)
	}
	return s.anyRouteObject(r, v, route.uuid, object{
		"name": route.name, "description": route.description, "destination": ipSubnetObject(route.destination),
		"nexthop": typed(netType("Nexthop"), hop), "routeType": routeStatic, "priority": staticPriority, "metadata": s.netMetadata(route.metadata),
	})
}

func (s *Server) localRouteObject(r *v4Request, v *privateCloud, local localRoute) object {
	return s.anyRouteObject(r, v, local.uuid, object{
		"name": local.subnet.Name, "destination": ipSubnetObject(local.subnet.v4.prefix), "routeType": routeLocal, "priority": localPriority,
		"nexthop": typed(netType("Nexthop"), object{
			"nexthopType": hopLocal, "nexthopReference": local.subnet.UUID, "nexthopName": local.subnet.Name,
		}),
	})
}

func (s *Server) anyRouteObject(r *v4Request, v *privateCloud, id string, fields object) object {
	fields["extId"], fields["isActive"], fields["vpcReference"], fields["routeTableReference"] = id, true, v.UUID, v.tableUUID
	fields["links"] = selfLinks(r, "config/route-tables/"+v.tableUUID+"/routes/"+id)
	return typed(netType("Route"), fields)
}
