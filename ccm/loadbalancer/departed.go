package loadbalancer

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// departedFor is how long a Service that was seen to go is remembered: longer than any task of Prism Central runs, and a few
// rounds of the collector.
const departedFor = 24 * time.Hour

// departed are the Services whose load balancer was seen to be gone. A piece of one that appears later was ordered by a
// process that died before Prism Central had made it, so that it could not be found. The deletion that was seen is finished
// then, whatever is configured for orphans.
type departed struct {
	clock clock.PassiveClock

	mu   sync.Mutex
	seen map[types.UID]time.Time
}

// add remembers the Service if it wants no load balancer any more.
func (d *departed) add(service *corev1.Service) {
	if service.DeletionTimestamp.IsZero() && service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	if d.seen == nil {
		d.seen = map[types.UID]time.Time{}
	}
	for uid, at := range d.seen {
		if now.Sub(at) > departedFor {
			delete(d.seen, uid)
		}
	}
	d.seen[service.UID] = now
}

// forget is for a Service that wants a load balancer again.
func (d *departed) forget(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seen, uid)
}

func (d *departed) has(uid types.UID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.seen[uid]
	return ok
}
