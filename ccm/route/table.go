package route

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/capnt/capnt/ccm/nutanix"
)

// read reads the route table, and remembers it.
func (r *Routes) read(ctx context.Context, network network) ([]nutanix.Route, error) {
	all, err := r.API.ListRoutes(ctx, network.tableUUID)
	if err != nil {
		return nil, fmt.Errorf("listing route table %s: %w", network.tableUUID, err)
	}
	r.see(all)
	return all, nil
}

func (r *Routes) see(all []nutanix.Route) {
	listed := map[netip.Prefix][]nutanix.Route{}
	for _, route := range all {
		listed[route.Destination] = append(listed[route.Destination], route)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.listed = listed
}

// seeMore adds a route that was just made.
func (r *Routes) seeMore(route nutanix.Route) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.listed[route.Destination] = append(r.listed[route.Destination], route)
}

// lastSeen gives the routes to a destination as the table was read last; known is false when it never was. The framework lists
// routes before it creates some, so that those of many nodes cost one list.
func (r *Routes) lastSeen(destination netip.Prefix) (routes []nutanix.Route, known bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.listed[destination], r.listed != nil
}

func to(all []nutanix.Route, destination netip.Prefix) []nutanix.Route {
	var found []nutanix.Route
	for _, route := range all {
		if route.Destination == destination.Masked() {
			found = append(found, route)
		}
	}
	slices.SortFunc(found, func(a, b nutanix.Route) int { return strings.Compare(a.UUID, b.UUID) })
	return found
}

// lock lets one caller at a time change the routes to a destination: the framework deletes and creates side by side. It gives
// the function that unlocks.
func (r *Routes) lock(destination netip.Prefix) func() {
	r.mutex.Lock()
	if r.busy[destination] == nil {
		r.busy[destination] = &sync.Mutex{}
	}
	turn := r.busy[destination]
	r.mutex.Unlock()
	turn.Lock()
	return turn.Unlock
}
