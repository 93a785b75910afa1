package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// addressCache keeps the addresses of all load balancers for a short while: every node's addresses are compared with them.
type addressCache struct {
	// turn has room for one: whoever fills it asks, and the others wait for the answer.
	turn  chan struct{}
	mu    sync.Mutex
	held  []string
	until time.Time
}

func newAddressCache() *addressCache { return &addressCache{turn: make(chan struct{}, 1)} }

func (c *addressCache) get(now time.Time) ([]string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.held), now.Before(c.until)
}

func (c *addressCache) put(addresses []string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held, c.until = addresses, until
}

// forget makes the next one ask again.
func (c *addressCache) forget() { c.put(nil, time.Time{}) }

// Addresses are the addresses of all load balancers of this cluster, whatever their type. None of them is an address of a
// node, even if a node answers for it. The list is up to client.cacheTTL old, and complete or an error, but for the types that are
// configured wrongly: no node is to wait until they are corrected.
func (b *Balancer) Addresses(ctx context.Context) ([]string, error) {
	select {
	case b.addresses.turn <- struct{}{}:
		defer func() { <-b.addresses.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := b.Clock.Now()
	if held, ok := b.addresses.get(now); ok {
		return held, nil
	}
	var all []string
	for _, name := range b.names() {
		some, err := b.Backends[name].Addresses(ctx)
		if errors.As(err, new(*Refusal)) {
			klog.FromContext(ctx).Error(err, "Addresses of load balancers of that type are not known", "type", name)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing addresses of load balancers of type %s: %w", name, err)
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	b.addresses.put(all, now.Add(b.Config().Client.CacheTTL.Duration))
	return slices.Clone(all), nil
}
