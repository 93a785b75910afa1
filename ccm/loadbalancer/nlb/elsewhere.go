package nlb

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// elsewhere knows in which subnets of other VPCs addresses are reserved for clusters of this name: loadBalancer.nlb.vpc may have
// been another one. Prism Central lists reservations by subnet only. So each subnet is asked about once in the life of the
// process, and once more after the VPC has changed.
type elsewhere struct {
	// turn has room for one: whoever fills it asks, and the others wait for the answer.
	turn chan struct{}

	mu sync.Mutex
	// vpcUUID is the VPC that all of this is other than.
	vpcUUID        string
	asked, holding sets.Set[string]
}

func newElsewhere() *elsewhere {
	return &elsewhere{turn: make(chan struct{}, 1), asked: sets.New[string](), holding: sets.New[string]()}
}

// in says which VPC is the configured one. In the one before there may be more than when it was asked about.
func (e *elsewhere) in(vpcUUID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.vpcUUID != vpcUUID {
		e.vpcUUID, e.asked = vpcUUID, sets.New[string]()
	}
}

func (e *elsewhere) isAsked(subnetUUID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked.Has(subnetUUID)
}

func (e *elsewhere) learn(subnetUUID string, holds bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked.Insert(subnetUUID)
	if holds {
		e.holding.Insert(subnetUUID)
	}
}

// known are the subnets that hold something, or did.
func (e *elsewhere) known() sets.Set[string] {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.holding.Clone()
}

// everywhere gives the network as network does, after the subnets of other VPCs were asked about that were not yet.
func (b *Backend) everywhere(ctx context.Context, cfg config.LoadBalancer) (network, error) {
	n, err := b.network(ctx, cfg)
	if err != nil {
		return network{}, err
	}
	select {
	case b.elsewhere.turn <- struct{}{}:
		defer func() { <-b.elsewhere.turn }()
	case <-ctx.Done():
		return network{}, ctx.Err()
	}
	b.elsewhere.in(n.vpc.UUID)
	for _, subnet := range n.others() {
		if b.elsewhere.isAsked(subnet.UUID) {
			continue
		}
		holds, err := b.holds(ctx, subnet)
		if err != nil {
			return network{}, err
		}
		b.elsewhere.learn(subnet.UUID, holds)
	}
	return n, nil
}

// holds reports whether an address of a subnet is reserved for a cluster of this name.
func (b *Backend) holds(ctx context.Context, subnet nutanix.Subnet) (bool, error) {
	reserved, err := b.options.API.ListReservedIPs(ctx, subnet.UUID)
	if nutanix.Is(err, nutanix.NotFound) || nutanix.Is(err, nutanix.Forbidden) {
		return false, nil // it is gone, or in a VPC that is not for us
	}
	if err != nil {
		return false, fmt.Errorf("looking for reserved addresses in subnet %s of another VPC: %w", subnet.Name, err)
	}
	cluster := b.options.Config().ClusterName
	return slices.ContainsFunc(reserved, func(ip nutanix.ReservedIP) bool {
		_, ok := loadbalancer.ParseContext(cluster, ip.ClientContext)
		return ok
	}), nil
}
