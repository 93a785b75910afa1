package instance

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// balancerAddresses are the addresses of the cluster's load balancers, shared by all nodes for a short time. AHV learns them on
// the NIC of the node that announces them, and they must not become addresses of that node.
//
// When they cannot be listed, those of the last time are used: a new one may then become a node's address until the next
// refresh. Without a last time there is an error, since any learned address might be one: a node is then initialized later,
// and an initialized node keeps the addresses it has.
type balancerAddresses struct {
	list     func(context.Context) ([]string, error)
	clock    clock.PassiveClock
	lifetime func() time.Duration
	// turn is held by whoever lists; others wait for the outcome, failures included.
	turn chan struct{}

	known map[netip.Addr]bool // nil: never listed
	asked time.Time
	err   error // of the last time
}

// get gives what is to be left out.
func (b *balancerAddresses) get(ctx context.Context) (map[netip.Addr]bool, error) {
	if b.list == nil {
		return nil, nil
	}
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("listing addresses of load balancers: %w", ctx.Err())
	}
	if b.asked.IsZero() || b.clock.Since(b.asked) >= b.lifetime() {
		b.refresh(ctx)
	}
	if b.known == nil {
		return nil, fmt.Errorf("listing addresses of load balancers, which no node may have: %w", b.err)
	}
	return b.known, nil
}

func (b *balancerAddresses) refresh(ctx context.Context) {
	texts, err := b.list(ctx)
	b.err = err
	if err != nil {
		klog.FromContext(ctx).Error(err, "Listing addresses of load balancers; those of the last time are used", "known", b.known != nil)
		if ctx.Err() == nil { // whoever gave up says nothing about the next one
			b.asked = b.clock.Now()
		}
		return
	}
	b.asked = b.clock.Now()
	b.known = addressSet(texts)
}

// addressSet passes over what is no address.
func addressSet(texts []string) map[netip.Addr]bool {
	set := map[netip.Addr]bool{}
	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil {
			set[address.Unmap()] = true
		}
	}
	return set
}

// servedBy gives what Services say they are reached by.
func (i *Instances) servedBy(ctx context.Context) (map[netip.Addr]bool, error) {
	if i.ServiceAddresses == nil {
		return nil, nil
	}
	texts, err := i.ServiceAddresses(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing addresses of Services, which no node is to learn: %w", err)
	}
	return addressSet(texts), nil
}
