package loadbalancer

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// farewells are the Services that wanted no load balancer any more when they were last looked at. What Prism Central was making
// for one of them when its maker died can appear after nothing was found and the finalizer went; deleting it then finishes a
// deletion that was asked for, and is no judgement of an orphan.
type farewells struct {
	mu sync.Mutex
	at map[types.UID]time.Time
}

// farewellFor is how long a Service is remembered at least: Prism Central's tasks end sooner. See Balancer.farewell.
const farewellFor = time.Hour

// farewell remembers a Service that wants no load balancer until orphans were looked for a few times, and forgets one that does.
func (b *Balancer) farewell(service *corev1.Service) {
	b.farewells.note(service, b.Clock, max(farewellFor, 3*b.repairPeriod()))
}

// note remembers a Service that wants none for so long, and forgets one that does.
func (f *farewells) note(service *corev1.Service, now clock.PassiveClock, lifetime time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for uid, since := range f.at {
		if now.Since(since) > lifetime {
			delete(f.at, uid)
		}
	}
	if wanted(service) {
		delete(f.at, service.UID)
		return
	}
	if f.at == nil {
		f.at = map[types.UID]time.Time{}
	}
	f.at[service.UID] = now.Now()
}

func (f *farewells) has(uid types.UID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.at[uid]
	return ok
}

// wanted reports whether a Service asks for a load balancer at all.
func wanted(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.DeletionTimestamp.IsZero()
}
