package ipam

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// Options are what a Backend is made of.
type Options struct {
	API nutanix.API
	// Config gives the configuration of now. Without the section loadBalancer.ipam the backend has and finds nothing.
	Config func() config.Config
	// ClusterID is as in loadbalancer.Options.
	ClusterID string
	Client    kubernetes.Interface
	Events    record.EventRecorder
	// Clock is the real one when it is nil.
	Clock clock.PassiveClock
}

// Backend implements loadbalancer.Backend and loadbalancer.Withdrawer.
type Backend struct {
	Options
	subnets subnets
}

var (
	_ loadbalancer.Backend    = &Backend{}
	_ loadbalancer.Withdrawer = &Backend{}
)

// New makes a Backend. It asks nobody.
func New(options Options) *Backend {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Backend{Options: options}
}

// Status gives the address that is reserved, which the announcer may not announce yet.
func (b *Backend) Status(ctx context.Context, service *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	has, err := b.find(ctx, b.owner(b.Config(), service))
	if err != nil || len(has) == 0 {
		return &corev1.LoadBalancerStatus{}, false, err
	}
	status := &corev1.LoadBalancerStatus{}
	for _, p := range has {
		status.Ingress = append(status.Ingress, corev1.LoadBalancerIngress{IP: p.address.String()})
	}
	return status, true, nil
}

// Ensure reserves an address and hands it to the announcer. The status is the Service's own: the announcer writes it.
func (b *Backend) Ensure(ctx context.Context, service *corev1.Service, _ []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	c := b.Config()
	if c.LoadBalancer.IPAM == nil {
		return nil, misconfigured("load balancers of type ipam need loadBalancer.ipam in the configuration")
	}
	a := announcerOf(*c.LoadBalancer.IPAM)
	asked, err := readRequest(service, a)
	if err != nil {
		return nil, err
	}
	configured, err := b.subnets.get(ctx, b.API, c, b.Clock.Now())
	if err != nil {
		return nil, err
	}
	owner := b.owner(c, service)
	has, err := b.list(ctx, configured, owner)
	if err != nil {
		return nil, err
	}
	wanted, err := decide(asked, configured, has)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(has, wanted) {
		if wanted, err = b.reserve(ctx, wanted, owner, asked); err != nil {
			return nil, err
		}
		b.Events.Eventf(service, corev1.EventTypeNormal, ReasonReserved, "address %s is reserved in subnet %s", wanted.address, wanted.subnet.Name)
	}
	if err := b.handOver(ctx, a, service, a.write(service, wanted.address.String())); err != nil {
		return nil, err
	}
	former := slices.DeleteFunc(has, func(p place) bool { return p == wanted })
	if err := b.free(ctx, former); err != nil {
		return nil, err
	}
	return service.Status.LoadBalancer.DeepCopy(), nil
}

func (b *Backend) reserve(ctx context.Context, p place, owner loadbalancer.Owner, asked request) (place, error) {
	address, err := b.API.ReserveIP(ctx, p.subnet.UUID, p.address, owner.Context())
	switch {
	case err == nil:
		return place{p.subnet, address}, nil
	case nutanix.Is(err, nutanix.Conflict) && p.address.IsValid():
		return place{}, &loadbalancer.Refusal{Reason: ReasonAddressTaken, Retry: true, Cause: err, Message: fmt.Sprintf(
			"%s asks for %s, which is taken in subnet %s: ask for another address, or free it", asked.source, p.address, p.subnet.Name)}
	case nutanix.Is(err, nutanix.Exhausted):
		return place{}, &loadbalancer.Refusal{Reason: ReasonAddressesExhausted, Retry: true, Cause: err, Message: fmt.Sprintf(
			"subnet %s (%s) has no free address: free some, or enlarge its pools", p.subnet.Name, p.subnet.Prefix)}
	}
	return place{}, fmt.Errorf("reserving an address in subnet %s: %w", p.subnet.Name, err)
}

// UpdateNodes has nothing to do: the announcer chooses the node.
func (b *Backend) UpdateNodes(context.Context, *corev1.Service, []*corev1.Node) error { return nil }

// Delete frees all that is reserved for the owner.
func (b *Backend) Delete(ctx context.Context, owner loadbalancer.Owner) error {
	has, err := b.find(ctx, owner)
	if err != nil {
		return err
	}
	return b.free(ctx, has)
}

// Owners lists for whom there are reservations in the configured subnets.
func (b *Backend) Owners(ctx context.Context) ([]loadbalancer.Owner, error) {
	var owners []loadbalancer.Owner
	err := b.each(ctx, func(owner loadbalancer.Owner, _ place) { owners = append(owners, owner) })
	slices.SortFunc(owners, loadbalancer.CompareOwners)
	return slices.Compact(owners), err
}

// Addresses lists what is reserved for this cluster in the configured subnets.
func (b *Backend) Addresses(ctx context.Context) ([]string, error) {
	var addresses []string
	err := b.each(ctx, func(_ loadbalancer.Owner, p place) { addresses = append(addresses, p.address.String()) })
	return addresses, err
}

// Preflight reports what is wrong with the subnets of the configuration. It is nil when it names none.
func (b *Backend) Preflight(ctx context.Context) error {
	c := b.Config()
	if c.LoadBalancer.IPAM == nil {
		return nil
	}
	_, err := b.subnets.get(ctx, b.API, c, b.Clock.Now())
	return err
}

func (b *Backend) owner(c config.Config, service *corev1.Service) loadbalancer.Owner {
	return loadbalancer.OwnerOf(c.ClusterName, service).In(b.ClusterID)
}

// each visits all reservations of clusters of this name.
func (b *Backend) each(ctx context.Context, visit func(loadbalancer.Owner, place)) error {
	c := b.Config()
	if c.LoadBalancer.IPAM == nil || c.ClusterName == "" {
		return nil
	}
	configured, err := b.subnets.get(ctx, b.API, c, b.Clock.Now())
	if err != nil {
		return err
	}
	for _, subnet := range configured {
		reserved, err := b.API.ListReservedIPs(ctx, subnet.UUID)
		if err != nil {
			return fmt.Errorf("listing reserved addresses of subnet %s: %w", subnet.Name, err)
		}
		for _, r := range reserved {
			if owner, ok := loadbalancer.ParseContext(c.ClusterName, r.ClientContext); ok {
				visit(owner, place{subnet, r.Address})
			}
		}
	}
	return nil
}

// find lists what is reserved for the owner, in the order of the subnets and addresses.
func (b *Backend) find(ctx context.Context, owner loadbalancer.Owner) ([]place, error) {
	c := b.Config()
	if c.LoadBalancer.IPAM == nil {
		return nil, nil
	}
	configured, err := b.subnets.get(ctx, b.API, c, b.Clock.Now())
	if err != nil {
		return nil, err
	}
	return b.list(ctx, configured, owner)
}

func (b *Backend) list(ctx context.Context, configured []nutanix.Subnet, owner loadbalancer.Owner) ([]place, error) {
	var has []place
	for _, subnet := range configured {
		reserved, err := b.API.ListReservedIPs(ctx, subnet.UUID)
		if err != nil {
			return nil, fmt.Errorf("listing reserved addresses of subnet %s: %w", subnet.Name, err)
		}
		slices.SortFunc(reserved, func(a, b nutanix.ReservedIP) int { return a.Address.Compare(b.Address) })
		for _, r := range reserved {
			if mark, ok := loadbalancer.ParseContext(owner.Cluster, r.ClientContext); ok && owner.Owns(mark) {
				has = append(has, place{subnet, r.Address})
			}
		}
	}
	return has, nil
}

// free frees addresses; all are tried.
func (b *Backend) free(ctx context.Context, places []place) error {
	bySubnet := map[string][]netip.Addr{}
	for _, p := range places {
		bySubnet[p.subnet.UUID] = append(bySubnet[p.subnet.UUID], p.address)
	}
	var errs []error
	for uuid, addresses := range bySubnet {
		if err := b.API.UnreserveIPs(ctx, uuid, addresses...); err != nil {
			errs = append(errs, fmt.Errorf("freeing addresses %s: %w", addresses, err))
		}
	}
	return errors.Join(errs...)
}
