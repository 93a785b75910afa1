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

func (api *networkAPI) v4ListRouteTables(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	items := []object{}
	for _, v := range api.tables {
		items = append(items, api.routeTableObject(r, v))
	}
	api.mu.Unlock()
	return routeTableListing.answer(r, items)
}

// routeTable finds the VPC of the route table of a request; the caller holds the mutex.
func (api *networkAPI) routeTable(verb, id string) (*routeTable, error) {
	if found := api.tableByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, netKind{word: "Route Table"}, id)
}

func (api *networkAPI) v4GetRouteTable(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	found, err := api.routeTable("Get", r.PathValue("extId"))
	if err != nil {
		return nil, err
	}
	return &v4Answer{data: api.routeTableObject(r, found), etag: revision(0).etag()}, nil
}

func (api *networkAPI) routeTableObject(r *v4Request, v *routeTable) object {
	return typed(netType("RouteTable"), object{
		"extId": v.uuid, "vpcReference": v.UUID, "metadata": api.netMetadata(nil), "links": selfLinks(r, "config/route-tables/"+v.uuid),
	})
}

func (api *networkAPI) v4ListRoutes(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	vpc, err := api.routeTable("List Routes of", r.PathValue("routeTableExtId"))
	if err != nil {
		api.mu.Unlock()
		return nil, err
	}
	items := []object{}
	for _, local := range vpc.localRoutes() {
		items = append(items, api.localRouteObject(r, vpc, local))
	}
	for _, route := range vpc.routes.listed(api.rules.lag("route")) {
		items = append(items, api.routeObject(r, vpc, route))
	}
	api.mu.Unlock()
	return routeListing.answer(r, items)
}

func (api *networkAPI) v4GetRoute(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	vpc, err := api.routeTable("Get", r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("extId")
	if route := vpc.routeByUUID(id); route != nil {
		return &v4Answer{data: api.routeObject(r, vpc, route), etag: route.version.etag()}, nil
	}
	if local, ok := vpc.localRoute(id); ok {
		return &v4Answer{data: api.localRouteObject(r, vpc, local), etag: revision(0).etag()}, nil
	}
	return nil, notThere("Get", kindRoute, id)
}

func (api *networkAPI) v4CreateRoute(r *v4Request) (*v4Answer, error) {
	spec, err := readRoute(r)
	if err != nil {
		return nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	vpc, err := api.routeTable("Create Route in", r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	return api.orderNet(r, creating(kindRoute, spec.name, func(id string) *netFailure {
		return vpc.createRoute(id, spec, api.networkRules, len(api.staticRoutes()))
	}))
}

func (api *networkAPI) v4UpdateRoute(r *v4Request) (*v4Answer, error) {
	spec, err := readRoute(r)
	if err != nil {
		return nil, err
	}
	return api.changeRoute(r, updating, "Update", func(vpc *routeTable, found *staticRoute) *netFailure {
		return vpc.updateRoute(found, spec, api.networkRules)
	})
}

func (api *networkAPI) v4DeleteRoute(r *v4Request) (*v4Answer, error) {
	return api.changeRoute(r, deleting, "Delete", func(vpc *routeTable, found *staticRoute) *netFailure {
		vpc.routes.remove(found)
		return nil
	})
}

// changeRoute starts an update or a deletion of a static route. The task of a change to a local route fails.
func (api *networkAPI) changeRoute(r *v4Request, kind changeMaker, verb string, work func(*routeTable, *staticRoute) *netFailure) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	vpc, err := api.routeTable(verb, r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("extId")
	if _, ok := vpc.localRoute(id); ok {
		return api.orderNet(r, kind(kindRoute, id, nil, func() *netFailure { return netInvalid("Local route %s cannot be changed", id) }))
	}
	found := vpc.routeByUUID(id)
	if found == nil {
		return nil, notThere(verb, kindRoute, id)
	}
	if err := api.netIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return api.orderNet(r, kind(kindRoute, id, &found.queue, func() *netFailure {
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

func (api *networkAPI) routeObject(r *v4Request, v *routeTable, route *staticRoute) object {
	hop := object{"nexthopType": route.hop.kind}
	if route.hop.kind == hopAddress {
		hop["nexthopIpAddress"], hop["nexthopName"] = addressObject(route.hop.address), route.hop.address.String()
	} else if n := api.subnetByUUID(route.hop.reference); n != nil {
		hop["nexthopReference"], hop["nexthopName"], hop["nexthopIpAddress"] = n.UUID, n.Name, addressObject(n.gateway)
	}
	return api.anyRouteObject(r, v, route.uuid, object{
		"name": route.name, "description": route.description, "destination": ipSubnetObject(route.destination),
		"nexthop": typed(netType("Nexthop"), hop), "routeType": routeStatic, "priority": staticPriority, "metadata": api.netMetadata(route.metadata),
	})
}

func (api *networkAPI) localRouteObject(r *v4Request, v *routeTable, local localRoute) object {
	return api.anyRouteObject(r, v, local.uuid, object{
		"name": local.subnet.Name, "destination": ipSubnetObject(local.subnet.v4.prefix), "routeType": routeLocal, "priority": localPriority,
		"nexthop": typed(netType("Nexthop"), object{
			"nexthopType": hopLocal, "nexthopReference": local.subnet.UUID, "nexthopName": local.subnet.Name,
		}),
	})
}

func (api *networkAPI) anyRouteObject(r *v4Request, v *routeTable, id string, fields object) object {
	fields["extId"], fields["isActive"], fields["vpcReference"], fields["routeTableReference"] = id, true, v.UUID, v.uuid
	fields["links"] = selfLinks(r, "config/route-tables/"+v.uuid+"/routes/"+id)
	return typed(netType("Route"), fields)
}
