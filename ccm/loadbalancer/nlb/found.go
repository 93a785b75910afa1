package nlb

import (
	"context"
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// found is what there is in Prism Central.
type found struct {
	sessions     []nutanix.LoadBalancerSession
	floatingIPs  []nutanix.FloatingIP
	reservations []reservation
	// owners says whose the reservations are.
	owners map[reservation]loadbalancer.Owner
	// foreign says who reserved addresses that are somebody else's: client contexts.
	foreign map[reservation]string
	// refused are changes of listeners that Prism Central did not accept.
	refused sets.Set[listenerChange]
}

// reservation is an address that is reserved in a subnet.
type reservation struct {
	subnetUUID string
	address    netip.Addr
}

func (f found) isEmpty() bool {
	return len(f.sessions) == 0 && len(f.floatingIPs) == 0 && len(f.reservations) == 0
}

// gather asks for every piece of an owner. Reservations are looked for in all subnets of the VPC, and in those of other VPCs that
// sessions name or that are known to hold some: a Service may have been elsewhere before.
func (b *Backend) gather(ctx context.Context, n network, owner loadbalancer.Owner) (found, error) {
	isOwners := func(other loadbalancer.Owner, ok bool) bool { return ok && owner.Owns(other) }
	return b.search(ctx, n, owner.Cluster, owner.Prefix(), isOwners)
}

// gatherAll asks for every piece of all owners of clusters of that name.
func (b *Backend) gatherAll(ctx context.Context, n network, cluster string) (found, error) {
	isOurs := func(_ loadbalancer.Owner, ok bool) bool { return ok }
	return b.search(ctx, n, cluster, cluster+"-", isOurs)
}

func (b *Backend) search(ctx context.Context, n network, cluster, prefix string,
	isWanted func(loadbalancer.Owner, bool) bool,
) (found, error) {
	f := found{owners: map[reservation]loadbalancer.Owner{}, foreign: map[reservation]string{}}
	sessions, err := b.options.API.ListLoadBalancerSessions(ctx, prefix)
	if err != nil {
		return found{}, fmt.Errorf("listing load balancer sessions: %w", err)
	}
	b.elsewhere.in(n.vpc.UUID)
	subnets := b.elsewhere.known()
	for _, session := range sessions {
		if isWanted(loadbalancer.ParseName(cluster, session.Name)) {
			f.sessions = append(f.sessions, session)
			subnets.Insert(session.SubnetUUID)
		}
	}
	floatingIPs, err := b.options.API.ListFloatingIPs(ctx, prefix)
	if err != nil {
		return found{}, fmt.Errorf("listing floating IPs: %w", err)
	}
	for _, ip := range floatingIPs {
		if isWanted(loadbalancer.ParseName(cluster, ip.Name)) {
			f.floatingIPs = append(f.floatingIPs, ip)
		}
	}
	for _, subnet := range n.others() {
		if subnets.Has(subnet.UUID) {
			b.elsewhere.learn(subnet.UUID, true) // also when the sessions are gone and the reservation is not
		}
	}
	for _, subnet := range n.mine() {
		subnets.Insert(subnet.UUID)
	}
	for _, subnetUUID := range sets.List(subnets.Delete("")) {
		if err := b.addReservations(ctx, &f, subnetUUID, cluster, isWanted); err != nil {
			return found{}, err
		}
	}
	return f, nil
}

func (b *Backend) addReservations(ctx context.Context, f *found, subnetUUID, cluster string,
	isWanted func(loadbalancer.Owner, bool) bool,
) error {
	reserved, err := b.options.API.ListReservedIPs(ctx, subnetUUID)
	if nutanix.Is(err, nutanix.NotFound) {
		return nil // the subnet is gone, and its reservations with it
	}
	if err != nil {
		return fmt.Errorf("listing reserved addresses of subnet %s: %w", subnetUUID, err)
	}
	for _, ip := range reserved {
		at := reservation{subnetUUID, ip.Address}
		if owner, ok := loadbalancer.ParseContext(cluster, ip.ClientContext); isWanted(owner, ok) {
			f.reservations, f.owners[at] = append(f.reservations, at), owner
		} else {
			f.foreign[at] = ip.ClientContext
		}
	}
	return nil
}
