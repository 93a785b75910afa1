package prismsim

import (
	"net/netip"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// staticRoute is a route that somebody made in the route table of a VPC.
type staticRoute struct {
	routeSpec
	uuid    string
	version revision
	queue   taskQueue
}

// routeSpec is what a request says of a route.
type routeSpec struct {
	name, description string
	vpcUUID           string // may be empty
	destination       netip.Prefix
	hop               nextHop
	metadata          *commonconfig.Metadata
}

// nextHop is an address in the VPC or an external subnet.
type nextHop struct {
	kind      string // hopAddress, hopExternal, hopLocal
	address   netip.Addr
	reference string // UUID of a subnet
}

// Kinds of next hops that this simulation knows, in the words of the API.
const (
	hopAddress  = "IP_ADDRESS"
	hopExternal = "EXTERNAL_SUBNET"
	hopLocal    = "LOCAL_SUBNET"
)

// Types of routes, in the words of the API.
const (
	routeStatic = "STATIC"
	routeLocal  = "LOCAL"
)

// staticPriority is the priority of the one static route on record (nutanix.ansible, ntnx_routes_v2). That local routes
// have another one is this package's own.
const (
	staticPriority = 32768
	localPriority  = 65534
)

// routeTable is the one route table of a VPC, which is made with it.
type routeTable struct {
	*privateCloud
	uuid   string
	routes collection[staticRoute]
}

func (api *networkAPI) tableByUUID(uuid string) *routeTable {
	return find(api.tables, func(v *routeTable) bool { return v.uuid == uuid })
}

func (v *routeTable) routeByUUID(uuid string) *staticRoute {
	return find(v.routes.all, func(r *staticRoute) bool { return r.uuid == uuid })
}

// localRoute is the route of an overlay subnet; it exists as long as the subnet.
type localRoute struct {
	uuid   string
	subnet *network
}

func (v *routeTable) localRoutes() []localRoute {
	var out []localRoute
	for _, n := range v.subnets {
		if n.v4 != nil {
			out = append(out, localRoute{deriveUUID("route", n.UUID), n})
		}
	}
	return out
}

func (v *routeTable) localRoute(uuid string) (localRoute, bool) {
	for _, local := range v.localRoutes() {
		if local.uuid == uuid {
			return local, true
		}
	}
	return localRoute{}, false
}

// staticRoutes gives the static routes of all VPCs.
func (api *networkAPI) staticRoutes() []*staticRoute {
	var out []*staticRoute
	for _, v := range api.tables {
		out = append(out, v.routes.all...)
	}
	return out
}

// createRoute makes a route; have is how many there are in all VPCs.
func (v *routeTable) createRoute(uuid string, spec routeSpec, rules NetworkRules, have int) *netFailure {
	if failed := netLimit("routes", have, 1, rules.MaxRoutes); failed != nil {
		return failed
	}
	if failed := v.checkRoute(nil, spec, rules); failed != nil {
		return failed
	}
	v.routes.add(&staticRoute{routeSpec: spec, uuid: uuid})
	return nil
}

func (v *routeTable) updateRoute(r *staticRoute, spec routeSpec, rules NetworkRules) *netFailure {
	if failed := v.checkRoute(r, spec, rules); failed != nil {
		return failed
	}
	r.routeSpec = spec
	r.version++
	return nil
}

// checkRoute checks a new route (r is nil) or a changed one.
func (v *routeTable) checkRoute(r *staticRoute, spec routeSpec, rules NetworkRules) *netFailure {
	if spec.vpcUUID != "" && spec.vpcUUID != v.UUID {
		return netInvalid("Route table %s does not belong to VPC %s", v.uuid, spec.vpcUUID)
	}
	if spec.destination != spec.destination.Masked() {
		return netInvalid("Destination %s has bits beyond its prefix length", spec.destination)
	}
	for _, local := range v.localRoutes() {
		if local.subnet.v4.prefix == spec.destination {
			return netConflict("Route with destination %s already exists: it is a local subnet", spec.destination)
		}
	}
	same := find(v.routes.all, func(o *staticRoute) bool { return o != r && o.destination == spec.destination })
	if same != nil {
		return netConflict("Route %s with destination %s already exists in route table %s", same.uuid, spec.destination, v.uuid)
	}
	return v.checkNextHop(spec.hop, rules)
}

func (v *routeTable) checkNextHop(hop nextHop, rules NetworkRules) *netFailure {
	switch hop.kind {
	case hopAddress:
		if rules.NoAddressNextHop {
			return netInvalid("Next hop type %s is not supported", hop.kind)
		}
		if n := v.subnetOf(hop.address); n == nil || !n.v4.usable(hop.address) {
			return netInvalid("Next hop IP address %s is no address of a subnet of VPC %s", hop.address, v.UUID)
		}
	case hopExternal:
		if find(v.externals(), func(n *network) bool { return n.UUID == hop.reference }) == nil {
			return netNotFound("External subnet %s is not attached to VPC %s", hop.reference, v.UUID)
		}
	default:
		return netInvalid("Next hop type %s is not supported", hop.kind)
	}
	return nil
}

// externals gives the external subnets through which a VPC reaches the outside.
func (v *routeTable) externals() []*network {
	var out []*network
	for _, up := range v.uplinks {
		out = append(out, up.subnet)
	}
	return out
}
