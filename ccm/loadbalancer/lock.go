package loadbalancer

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// locks holds one lock for each Service, so that only one caller at a time changes its load balancer: the framework's
// workers, the class controller, repair and orphan collection.
type locks struct {
	mu   sync.Mutex
	held map[types.UID]*lock
}

type lock struct {
	// slot has room for one: whoever fills it holds the lock.
	slot chan struct{}
	// users hold it or wait for it.
	users int
}

// acquire waits until nobody else holds the lock of that Service, or until the context ends.
func (l *locks) acquire(ctx context.Context, uid types.UID) (release func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[types.UID]*lock{}
	}
	k, ok := l.held[uid]
	if !ok {
		k = &lock{slot: make(chan struct{}, 1)}
		l.held[uid] = k
	}
	k.users++
	l.mu.Unlock()

	select {
	case k.slot <- struct{}{}:
		return func() { <-k.slot; l.leave(uid, k) }, nil
	case <-ctx.Done():
		l.leave(uid, k)
		return nil, ctx.Err()
	}
}

func (l *locks) leave(uid types.UID, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.held, uid)
	}
}
