package networking

import (
	"net/netip"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"

	commonconfig "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
)

// staticRoute is a route that a client has created.
type staticRoute struct {
	routeSpec
	uuid    string
	version model.Revision
	queue   model.TaskQueue
}

// routeSpec contains the properties of a route in a request.
type routeSpec struct {
	name, description string
	vpcUUID           string // may be empty
	destination       netip.Prefix
	hop               nextHop
	metadata          *commonconfig.Metadata
}

// nextHop is the next hop of a route: an address in the VPC or an external subnet.
type nextHop struct {
	kind      string // hopAddress, hopExternal, hopLocal
	address   netip.Addr
	reference string // UUID of a subnet
}

// Supported kinds of next hops.
const (
	hopAddress  = "IP_ADDRESS"
	hopExternal = "EXTERNAL_SUBNET"
	hopLocal    = "LOCAL_SUBNET"
)

// Types of routes.
const (
	routeStatic = "STATIC"
	routeLocal  = "LOCAL"
)

// staticPriority is the priority of the only static route in public documentation (nutanix.ansible, ntnx_routes_v2). No
// public documentation contains the priority of a local route, so localPriority is an assumption.
const (
	staticPriority = 32768
	localPriority  = 65534
)

// routeTable is the route table of a VPC.
type routeTable struct {
	*model.VPC
	uuid   string
	routes model.Collection[staticRoute]
}

func (api *API) tableByUUID(uuid string) *routeTable {
	return model.Find(api.tables, func(v *routeTable) bool { return v.uuid == uuid })
}

func (v *routeTable) routeByUUID(uuid string) *staticRoute {
	return model.Find(v.routes.All, func(r *staticRoute) bool { return r.uuid == uuid })
}

// localRoute is the route to an overlay subnet of the VPC.
type localRoute struct {
	uuid   string
	subnet *model.Subnet
}

func (v *routeTable) localRoutes() []localRoute {
	var out []localRoute
	for _, n := range v.Subnets {
		if n.V4 != nil {
			out = append(out, localRoute{inventory.DeriveUUID("route", n.UUID), n})
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

// staticRoutes returns the static routes of all VPCs.
func (api *API) staticRoutes() []*staticRoute {
	var out []*staticRoute
	for _, v := range api.tables {
		out = append(out, v.routes.All...)
	}
	return out
}

// createRoute creates a static route. have is the number of existing static routes in all VPCs.
func (v *routeTable) createRoute(uuid string, spec routeSpec, rules Rules, have int) *failure {
	if failed := limitFailure("routes", have, 1, rules.MaxRoutes); failed != nil {
		return failed
	}
	if failed := v.checkRoute(nil, spec, rules); failed != nil {
		return failed
	}
	v.routes.Add(&staticRoute{routeSpec: spec, uuid: uuid})
	return nil
}

func (v *routeTable) updateRoute(r *staticRoute, spec routeSpec, rules Rules) *failure {
	if failed := v.checkRoute(r, spec, rules); failed != nil {
		return failed
	}
	r.routeSpec = spec
	r.version++
	return nil
}

// checkRoute validates a route. r is the existing route, or nil for a new route.
func (v *routeTable) checkRoute(r *staticRoute, spec routeSpec, rules Rules) *failure {
	if spec.vpcUUID != "" && spec.vpcUUID != v.UUID {
		return invalid("Route table %s does not belong to VPC %s", v.uuid, spec.vpcUUID)
	}
	if spec.destination != spec.destination.Masked() {
		return invalid("Destination %s has bits beyond its prefix length", spec.destination)
	}
	for _, local := range v.localRoutes() {
		if local.subnet.V4.Prefix == spec.destination {
			return conflict("Route with destination %s already exists: it is a local subnet", spec.destination)
		}
	}
	same := model.Find(v.routes.All, func(o *staticRoute) bool { return o != r && o.destination == spec.destination })
	if same != nil {
		return conflict("Route %s with destination %s already exists in route table %s", same.uuid, spec.destination, v.uuid)
	}
	return v.checkNextHop(spec.hop, rules)
}

func (v *routeTable) checkNextHop(hop nextHop, rules Rules) *failure {
	switch hop.kind {
	case hopAddress:
		if rules.NoAddressNextHop {
			return invalid("Next hop type %s is not supported", hop.kind)
		}
		if n := v.SubnetOf(hop.address); n == nil || !n.V4.Usable(hop.address) {
			return invalid("Next hop IP address %s is not an address of a subnet of VPC %s", hop.address, v.UUID)
		}
	case hopExternal:
		if model.Find(v.externals(), func(n *model.Subnet) bool { return n.UUID == hop.reference }) == nil {
			return notFound("External subnet %s is not attached to VPC %s", hop.reference, v.UUID)
		}
	default:
		return invalid("Next hop type %s is not supported", hop.kind)
	}
	return nil
}

// externals returns the external subnets of a VPC.
func (v *routeTable) externals() []*model.Subnet {
	var out []*model.Subnet
	for _, up := range v.Uplinks {
		out = append(out, up.Subnet)
	}
	return out
}
