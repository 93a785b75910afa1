// Package route keeps routes to the pods of each node in the route table of a VPC, so that pods are reached without an overlay
// of their own. It implements cloudprovider.Routes. A route is found by its destination; one that this cluster did not make is
// never touched.
package route

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// Reasons of events of a Node.
const (
	// ReasonConflict: somebody else's route leads to the node's pods.
	ReasonConflict = "RouteConflict"
	// ReasonIPv6: a VPC routes IPv4 only.
	ReasonIPv6 = "IPv6RouteUnsupported"
	// ReasonNotInVPC: the node has no address in the VPC.
	ReasonNotInVPC = "NodeNotInVPC"
)

// Cache is what is needed of *nutanix.Cache.
type Cache interface {
	VMsOfCategory(ctx context.Context, categoryUUID string) ([]nutanix.VM, error)
}

// Options is what New needs. Without a Cache there is one of its own.
type Options struct {
	API    nutanix.API
	Cache  Cache
	Config func() config.Config
	// ClusterID tells clusters of one name apart; without it, whatever has the name is this cluster's.
	ClusterID string
	Events    record.EventRecorder
}

// Routes implements cloudprovider.Routes. The name of the cluster that the framework passes, --cluster-name, is not used: the
// configuration's marks routes and load balancers alike.
type Routes struct {
	Options
	clock clock.PassiveClock
	// fresh joins look-ups made at the same time and remembers nothing: for a virtual machine that is younger than the Cache's list.
	fresh Cache

	mutex sync.Mutex
	known network
	// listed are the routes of the table as ListRoutes saw them last; nil: never.
	listed map[netip.Prefix][]nutanix.Route
	// busy has a lock for each destination.
	busy map[netip.Prefix]*sync.Mutex
}

var (
	_ cloudprovider.Routes = (*Routes)(nil)
	_ Cache                = (*nutanix.Cache)(nil)
)

// New asks nothing of anybody yet.
func New(options Options) *Routes {
	return newRoutes(options, clock.RealClock{})
}

func newRoutes(options Options, now clock.PassiveClock) *Routes {
	if options.Cache == nil {
		options.Cache = nutanix.NewCache(options.API, func() time.Duration { return options.Config().Client.CacheTTL.Duration })
	}
	fresh := nutanix.NewCache(options.API, func() time.Duration { return 0 })
	return &Routes{Options: options, clock: now, fresh: fresh, busy: map[netip.Prefix]*sync.Mutex{}}
}

// ListRoutes gives the routes of this cluster. One that leads nowhere any more, because its virtual machine is gone or has other
// addresses, is a blackhole, which the framework deletes. That is believed only when Prism Central itself says so.
func (r *Routes) ListRoutes(ctx context.Context, _ string) ([]*cloudprovider.Route, error) {
	network, err := r.network(ctx)
	if err != nil {
		return nil, err
	}
	all, err := r.read(ctx, network)
	if err != nil {
		return nil, err
	}
	vms, err := r.Cache.VMsOfCategory(ctx, network.categoryUUID)
	if err != nil {
		return nil, fmt.Errorf("listing the virtual machines of the cluster: %w", err)
	}
	var routes []*cloudprovider.Route
	for _, route := range all {
		if !isOurs(network.mark, route) {
			continue
		}
		one := &cloudprovider.Route{Name: state(route), DestinationCIDR: route.Destination.String()}
		leads, err := r.leads(ctx, network, vms, route)
		if err != nil {
			return nil, err
		}
		one.Blackhole = !leads
		if leads {
			one.TargetNode = types.NodeName(readHolder(route.Description).node)
		}
		routes = append(routes, one)
	}
	return routes, nil
}

// leads reports whether the next hop of a route is still an address of the virtual machine that it was made for. One that has
// no address in the VPC at all just now, as when it is off, keeps its routes.
func (r *Routes) leads(ctx context.Context, network network, vms []nutanix.VM, route nutanix.Route) (bool, error) {
	uuid := readHolder(route.Description).vmUUID
	if uuid == "" {
		return false, nil
	}
	if at := slices.IndexFunc(vms, func(vm nutanix.VM) bool { return vm.UUID == uuid }); at >= 0 && slices.Contains(network.addresses(vms[at]), route.NextHop) {
		return true, nil
	}
	vm, err := r.API.VM(ctx, uuid)
	if nutanix.Is(err, nutanix.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for virtual machine %s, which route %s leads to: %w", uuid, route.Name, err)
	}
	addresses := network.addresses(vm)
	return len(addresses) == 0 || slices.Contains(addresses, route.NextHop), nil
}

// CreateRoute makes the route to a node's pods, or makes the one there is lead to the node. nameHint is the UID of the Node. A
// route of somebody else in its place is a conflict, upon which the framework tries again.
func (r *Routes) CreateRoute(ctx context.Context, _ string, nameHint string, route *cloudprovider.Route) error {
	destination, err := r.destination(nameHint, route)
	if err != nil {
		return err
	}
	network, err := r.network(ctx)
	if err != nil {
		return err
	}
	defer r.lock(destination)()
	hop, vm, err := r.hop(ctx, network, route)
	if err != nil {
		r.forgetNetwork()
		return r.tell(nameHint, route, err)
	}
	want := nutanix.Route{
		Name: nameOf(network.mark, destination), RouteTableUUID: network.tableUUID, Destination: destination, NextHop: hop, IsStatic: true,
		Description: holder{node: string(route.TargetNode), vmUUID: vm}.describe(),
	}
	present, known := r.lastSeen(destination)
	if known && len(present) == 0 {
		made, err := r.API.CreateRoute(ctx, want)
		if err == nil {
			r.seeMore(made)
		}
		if !nutanix.Is(err, nutanix.Conflict) {
			return wrap(err, "creating route %s via %s", want.Name, hop)
		}
	}
	all, err := r.read(ctx, network)
	if err != nil {
		return err
	}
	return r.tell(nameHint, route, r.settle(ctx, network, want, to(all, destination)))
}

// settle makes the one route to a destination be as wanted.
func (r *Routes) settle(ctx context.Context, network network, want nutanix.Route, present []nutanix.Route) error {
	for _, one := range present {
		if !isOurs(network.mark, one) {
			return &problem{ReasonConflict, conflict(want, fmt.Errorf("route %s (%s) has the same destination and is not of this cluster: "+
				"remove it, or give the cluster another pod CIDR", one.UUID, one.Name))}
		}
	}
	if len(present) == 0 {
		_, err := r.API.CreateRoute(ctx, want)
		return retried(want, wrap(err, "creating route %s via %s", want.Name, want.NextHop))
	}
	first := present[0]
	if first.NextHop == want.NextHop && first.Description == want.Description {
		return nil
	}
	want.UUID, want.ETag = first.UUID, first.ETag
	return retried(want, wrap(r.API.UpdateRoute(ctx, want), "leading route %s to %s", want.Name, want.NextHop))
}

// DeleteRoute deletes a route as ListRoutes gave it. One that was made to lead elsewhere since then is left.
func (r *Routes) DeleteRoute(ctx context.Context, _ string, route *cloudprovider.Route) error {
	destination, err := netip.ParsePrefix(route.DestinationCIDR)
	if err != nil {
		return fmt.Errorf("reading the destination of route %s: %w", route.Name, err)
	}
	network, err := r.network(ctx)
	if err != nil {
		return err
	}
	defer r.lock(destination)()
	all, err := r.read(ctx, network)
	if err != nil {
		return err
	}
	for _, one := range to(all, destination) {
		if !isOurs(network.mark, one) || state(one) != route.Name {
			continue
		}
		if err := r.API.DeleteRoute(ctx, one); err != nil && !nutanix.Is(err, nutanix.NotFound) {
			return fmt.Errorf("deleting route %s: %w", one.Name, err)
		}
		r.see(slices.DeleteFunc(all, func(other nutanix.Route) bool { return other.UUID == one.UUID }))
	}
	return nil
}

// destination refuses what a VPC cannot route.
func (r *Routes) destination(nameHint string, route *cloudprovider.Route) (netip.Prefix, error) {
	destination, err := netip.ParsePrefix(route.DestinationCIDR)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("reading the pod CIDR of node %s: %w", route.TargetNode, err)
	}
	if !destination.Addr().Unmap().Is4() {
		return netip.Prefix{}, r.tell(nameHint, route, &problem{ReasonIPv6, fmt.Errorf("no route to %s of node %s: a VPC routes IPv4 only; "+
			"use a network plugin with an overlay for IPv6", destination, route.TargetNode)})
	}
	return destination.Masked(), nil
}

// hop gives the address of a node in the VPC, the first of the node's own that a virtual machine of the cluster has there.
func (r *Routes) hop(ctx context.Context, network network, route *cloudprovider.Route) (hop netip.Addr, vmUUID string, err error) {
	for _, from := range []Cache{r.Cache, r.fresh} {
		vms, err := from.VMsOfCategory(ctx, network.categoryUUID)
		if err != nil {
			return netip.Addr{}, "", fmt.Errorf("listing the virtual machines of the cluster: %w", err)
		}
		if hop, vmUUID, found := network.match(route.TargetNodeAddresses, vms); found {
			return hop, vmUUID, nil
		}
	}
	return netip.Addr{}, "", &problem{ReasonNotInVPC, fmt.Errorf("no route to the pods of node %s: none of its addresses is one of a virtual "+
		"machine with category %s:%s in the VPC; give it a NIC in a subnet of the VPC, and the category", route.TargetNode,
		clusterCategory, network.cluster)}
}
