package nutanix

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"

	common "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
	networking "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

const routeTablePath = "/config/route-tables"

var routeKind = kind[networking.Route]{
	rel:      "route",
	uuid:     func(route *networking.Route) string { return lower(route.ExtId) },
	reserved: func(route *networking.Route) map[string]any { return route.Reserved_ },
}

// RouteTableOfVPC implements Routes. NotFound: the VPC has none; Conflict: it has several.
func (c *Client) RouteTableOfVPC(ctx context.Context, vpcUUID string) (string, error) {
	const operation = "RouteTableOfVPC"
	if _, err := prismv4.Segment(operation, vpcUUID); err != nil {
		return "", err
	}
	found, err := prismv4.List(ctx, c.prism, prismv4.Listing[networking.RouteTable, routeTable]{
		Operation: operation, Namespace: prismv4.Networking, Path: routeTablePath, Where: []prismv4.Condition{prismv4.Equals("vpcReference", vpcUUID)},
		Keep: func(table *routeTable) bool { return strings.EqualFold(table.vpcUUID, vpcUUID) },
		Key:  func(table *networking.RouteTable) string { return lower(table.ExtId) },
		Item: func(in *networking.RouteTable) routeTable { return routeTable{lower(in.ExtId), lower(in.VpcReference)} },
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", &Error{Operation: operation, Kind: NotFound, Message: fmt.Sprintf("VPC %s has no route table", vpcUUID)}
	case len(found) > 1:
		return "", &Error{Operation: operation, Kind: Conflict, Message: fmt.Sprintf("VPC %s has %d route tables", vpcUUID, len(found))}
	}
	return found[0].uuid, nil
}

type routeTable struct{ uuid, vpcUUID string }

func routesPath(operation, routeTableUUID string) (string, error) {
	id, err := prismv4.Segment(operation, routeTableUUID)
	return routeTablePath + "/" + id + "/routes", err
}

// ListRoutes implements Routes.
func (c *Client) ListRoutes(ctx context.Context, routeTableUUID string) ([]Route, error) {
	return c.routes(ctx, "ListRoutes", routeTableUUID, nil)
}

func (c *Client) routes(ctx context.Context, operation, routeTableUUID string, keep func(*Route) bool) ([]Route, error) {
	path, err := routesPath(operation, routeTableUUID)
	if err != nil {
		return nil, err
	}
	return prismv4.List(ctx, c.prism, prismv4.Listing[networking.Route, Route]{
		Operation: operation, Namespace: prismv4.Networking, Path: path, Keep: keep, Key: routeKind.uuid,
		Item: func(in *networking.Route) Route {
			return routeOf(in, routeTableUUID, prismv4.ReservedETag(in.Reserved_))
		},
	})
}

// CreateRoute implements Routes. Unavailable can mean that it was made and the answer lost: ListRoutes shows it.
func (c *Client) CreateRoute(ctx context.Context, route Route) (Route, error) {
	at, err := route.target("CreateRoute")
	if err != nil {
		return Route{}, err
	}
	body := networking.NewRoute()
	if err := route.write(body); err != nil {
		return Route{}, &Error{Operation: at.operation, Kind: Invalid, Cause: err}
	}
	made, etag, err := create(ctx, c, routeKind, at, body, func() ([]string, error) {
		like, err := c.routes(ctx, at.operation, route.RouteTableUUID, func(one *Route) bool {
			return one.IsStatic && one.Destination == route.Destination.Masked() && one.Name == route.Name
		})
		return convert(like, func(one *Route) string { return one.UUID }), err
	})
	if err != nil {
		return Route{}, err
	}
	return routeOf(made, route.RouteTableUUID, etag), nil
}

// UpdateRoute implements Routes.
func (c *Client) UpdateRoute(ctx context.Context, route Route) error {
	at, err := route.target("UpdateRoute")
	if err != nil {
		return err
	}
	return replace(ctx, c, routeKind, at, route.write)
}

// DeleteRoute implements Routes.
func (c *Client) DeleteRoute(ctx context.Context, route Route) error {
	at, err := route.target("DeleteRoute")
	if err != nil {
		return err
	}
	return remove(ctx, c, routeKind, at)
}

func (r Route) target(operation string) (target, error) {
	path, err := routesPath(operation, r.RouteTableUUID)
	return target{operation: operation, collection: path, uuid: r.UUID, etag: r.ETag}, err
}

// write puts everything that we know of a route into the vendor's model: always a static route to an address.
func (r Route) write(out *networking.Route) error {
	if !r.Destination.IsValid() || !r.NextHop.IsValid() {
		return fmt.Errorf("a route needs a destination and a next hop, and has %q and %q", r.Destination, r.NextHop)
	}
	out.Name, out.Description, out.RouteTableReference = ptr.To(r.Name), ptr.To(r.Description), ptr.To(r.RouteTableUUID)
	out.RouteType = networking.ROUTETYPE_STATIC.Ref()
	out.Destination = ipSubnet(r.Destination.Masked())
	out.Nexthop = networking.NewNexthop()
	out.Nexthop.NexthopType = networking.NEXTHOPTYPE_IP_ADDRESS.Ref()
	out.Nexthop.NexthopIpAddress = ipAddress(r.NextHop)
	return nil
}

func ipSubnet(prefix netip.Prefix) *networking.IPSubnet {
	out := networking.NewIPSubnet()
	if prefix.Addr().Is4() {
		out.Ipv4 = networking.NewIPv4Subnet()
		out.Ipv4.Ip = common.NewIPv4Address()
		out.Ipv4.Ip.Value, out.Ipv4.Ip.PrefixLength = ptr.To(prefix.Addr().String()), nil
		out.Ipv4.PrefixLength = ptr.To(prefix.Bits())
		return out
	}
	out.Ipv6 = networking.NewIPv6Subnet()
	out.Ipv6.Ip = common.NewIPv6Address()
	out.Ipv6.Ip.Value, out.Ipv6.Ip.PrefixLength = ptr.To(prefix.Addr().String()), nil
	out.Ipv6.PrefixLength = ptr.To(prefix.Bits())
	return out
}

func routeOf(in *networking.Route, routeTableUUID, etag string) Route {
	out := Route{
		UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, ""), Description: ptr.Deref(in.Description, ""),
		RouteTableUUID: lower(cmp.Or(in.RouteTableReference, &routeTableUUID)), ETag: etag,
		IsStatic: ptr.Deref(in.RouteType, networking.ROUTETYPE_UNKNOWN) == networking.ROUTETYPE_STATIC,
	}
	if to := in.Destination; to != nil {
		switch {
		case to.Ipv4 != nil && to.Ipv4.Ip != nil:
			out.Destination = prefixOf(parseAddress(ptr.Deref(to.Ipv4.Ip.Value, "")), to.Ipv4.PrefixLength)
		case to.Ipv6 != nil && to.Ipv6.Ip != nil:
			out.Destination = prefixOf(parseAddress(ptr.Deref(to.Ipv6.Ip.Value, "")), to.Ipv6.PrefixLength)
		}
	}
	if hop := in.Nexthop; hop != nil && ptr.Deref(hop.NexthopType, networking.NEXTHOPTYPE_UNKNOWN) == networking.NEXTHOPTYPE_IP_ADDRESS {
		out.NextHop = addressOf(hop.NexthopIpAddress)
	}
	return out
}
