package networking

import (
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"

	netconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
)

var (
	routeTableListing = v4.Listing{Filters: []string{"extId", "vpcReference"}, Orders: []string{"extId", "vpcReference"}}
	routeListing      = v4.Listing{
		Filters: []string{"extId", "name", "vpcReference", "routeTableReference", "routeType", "isActive", "priority", "nexthop/nexthopType"},
		Orders:  []string{"extId", "name", "priority", "routeType"},
	}
)

func (api *API) listRouteTables(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	items := []v4.Object{}
	for _, v := range api.tables {
		items = append(items, api.routeTableObject(r, v))
	}
	api.Mu.Unlock()
	return routeTableListing.Respond(r, items)
}

// routeTable returns the route table with the ID id. The caller must hold the mutex.
func (api *API) routeTable(verb, id string) (*routeTable, error) {
	if found := api.tableByUUID(id); found != nil {
		return found, nil
	}
	return nil, notThere(verb, entityKind{word: "Route Table"}, id)
}

func (api *API) getRouteTable(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	found, err := api.routeTable("Get", r.PathValue("extId"))
	if err != nil {
		return nil, err
	}
	return &v4.Response{Data: api.routeTableObject(r, found), ETag: model.Revision(0).ETag()}, nil
}

func (api *API) routeTableObject(r *v4.Request, v *routeTable) v4.Object {
	return v4.Typed(typeName("RouteTable"), v4.Object{
		"extId": v.uuid, "vpcReference": v.UUID, "metadata": api.metadataObject(nil), "links": v4.SelfLinks(r, "config/route-tables/"+v.uuid),
	})
}

func (api *API) listRoutes(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	vpc, err := api.routeTable("List Routes of", r.PathValue("routeTableExtId"))
	if err != nil {
		api.Mu.Unlock()
		return nil, err
	}
	items := []v4.Object{}
	for _, local := range vpc.localRoutes() {
		items = append(items, api.localRouteObject(r, vpc, local))
	}
	for _, route := range vpc.routes.Listed(api.Rules.Lag("route")) {
		items = append(items, api.routeObject(r, vpc, route))
	}
	api.Mu.Unlock()
	return routeListing.Respond(r, items)
}

func (api *API) getRoute(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	vpc, err := api.routeTable("Get", r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("extId")
	if route := vpc.routeByUUID(id); route != nil {
		return &v4.Response{Data: api.routeObject(r, vpc, route), ETag: route.version.ETag()}, nil
	}
	if local, ok := vpc.localRoute(id); ok {
		return &v4.Response{Data: api.localRouteObject(r, vpc, local), ETag: model.Revision(0).ETag()}, nil
	}
	return nil, notThere("Get", kindRoute, id)
}

func (api *API) createRoute(r *v4.Request) (*v4.Response, error) {
	spec, err := readRoute(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	vpc, err := api.routeTable("Create Route in", r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	return api.order(r, creating(kindRoute, spec.name, func(id string) *failure {
		return vpc.createRoute(id, spec, api.rules, len(api.staticRoutes()))
	}))
}

func (api *API) updateRoute(r *v4.Request) (*v4.Response, error) {
	spec, err := readRoute(r)
	if err != nil {
		return nil, err
	}
	return api.changeRoute(r, updating, "Update", func(vpc *routeTable, found *staticRoute) *failure {
		return vpc.updateRoute(found, spec, api.rules)
	})
}

func (api *API) deleteRoute(r *v4.Request) (*v4.Response, error) {
	return api.changeRoute(r, deleting, "Delete", func(vpc *routeTable, found *staticRoute) *failure {
		vpc.routes.Remove(found)
		return nil
	})
}

// changeRoute starts the task that updates or deletes a static route. If the route is a local route, the task fails.
func (api *API) changeRoute(r *v4.Request, kind changeMaker, verb string, work func(*routeTable, *staticRoute) *failure) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	vpc, err := api.routeTable(verb, r.PathValue("routeTableExtId"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("extId")
	if _, ok := vpc.localRoute(id); ok {
		return api.order(r, kind(kindRoute, id, nil, func() *failure { return invalid("Local route %s cannot be changed", id) }))
	}
	found := vpc.routeByUUID(id)
	if found == nil {
		return nil, notThere(verb, kindRoute, id)
	}
	if err := api.checkIfMatch(r, found.version); err != nil {
		return nil, err
	}
	return api.order(r, kind(kindRoute, id, &found.queue, func() *failure {
		if vpc.routeByUUID(id) == nil {
			return notFound("Route %s not found", id)
		}
		return work(vpc, found)
	}))
}

// readRoute reads the route in a request. Clients can create only static routes.
func readRoute(r *v4.Request) (routeSpec, error) {
	var in netconfig.Route
	if err := r.Decode(&in); err != nil {
		return routeSpec{}, err
	}
	ipv4 := wire.OrZero(in.Destination).Ipv4
	err := checkRequired("", map[string]bool{
		"routeType": in.RouteType != nil, "destination": ipv4 != nil && ipv4.Ip != nil && ipv4.PrefixLength != nil,
		"nexthop": in.Nexthop != nil && in.Nexthop.NexthopType != nil,
	})
	if err != nil {
		return routeSpec{}, err
	}
	if err := checkEnum("routeType", in.RouteType.GetName(), routeStatic); err != nil {
		return routeSpec{}, err
	}
	out := routeSpec{name: wire.OrZero(in.Name), description: wire.OrZero(in.Description), vpcUUID: wire.OrZero(in.VpcReference), metadata: in.Metadata}
	address, err := netip.ParseAddr(wire.OrZero(ipv4.Ip.Value))
	if err != nil || !address.Is4() || *ipv4.PrefixLength < 0 || *ipv4.PrefixLength > address.BitLen() {
		return out, v4.InvalidBody("destination.ipv4", "%q/%d is not an IPv4 subnet", wire.OrZero(ipv4.Ip.Value), *ipv4.PrefixLength)
	}
	out.destination = netip.PrefixFrom(address, *ipv4.PrefixLength)
	out.hop = nextHop{kind: in.Nexthop.NexthopType.GetName(), reference: wire.OrZero(in.Nexthop.NexthopReference)}
	if out.hop.address, _, err = readAddress("nexthop.nexthopIpAddress", in.Nexthop.NexthopIpAddress); err != nil {
		return out, err
	}
	if out.hop.kind == hopAddress {
		err = checkRequired("nexthop", map[string]bool{"nexthopIpAddress": out.hop.address.IsValid()})
	}
	return out, err
}

func (api *API) routeObject(r *v4.Request, v *routeTable, route *staticRoute) v4.Object {
	hop := v4.Object{"nexthopType": route.hop.kind}
	if route.hop.kind == hopAddress {
		hop["nexthopIpAddress"], hop["nexthopName"] = addressObject(route.hop.address), route.hop.address.String()
	} else if n := api.SubnetByUUID(route.hop.reference); n != nil {
		hop["nexthopReference"], hop["nexthopName"], hop["nexthopIpAddress"] = n.UUID, n.Name, addressObject(n.Gateway)
	}
	return api.anyRouteObject(r, v, route.uuid, v4.Object{
		"name": route.name, "description": route.description, "destination": ipSubnetObject(route.destination),
		"nexthop": v4.Typed(typeName("Nexthop"), hop), "routeType": routeStatic, "priority": staticPriority, "metadata": api.metadataObject(route.metadata),
	})
}

func (api *API) localRouteObject(r *v4.Request, v *routeTable, local localRoute) v4.Object {
	return api.anyRouteObject(r, v, local.uuid, v4.Object{
		"name": local.subnet.Name, "destination": ipSubnetObject(local.subnet.V4.Prefix), "routeType": routeLocal, "priority": localPriority,
		"nexthop": v4.Typed(typeName("Nexthop"), v4.Object{
			"nexthopType": hopLocal, "nexthopReference": local.subnet.UUID, "nexthopName": local.subnet.Name,
		}),
	})
}

func (api *API) anyRouteObject(r *v4.Request, v *routeTable, id string, fields v4.Object) v4.Object {
	fields["extId"], fields["isActive"], fields["vpcReference"], fields["routeTableReference"] = id, true, v.UUID, v.uuid
	fields["links"] = v4.SelfLinks(r, "config/route-tables/"+v.uuid+"/routes/"+id)
	return v4.Typed(typeName("Route"), fields)
}
