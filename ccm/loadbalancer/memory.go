package loadbalancer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the class controller remembers is only what it needs to know of Services that are not there any more, and to skip what
// is not necessary. After a restart everything is ensured once.

func (c *controller) remember(key string, service *corev1.Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[key] = service
}

func (c *controller) forget(key string, service *corev1.Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.targets, service.UID)
	if served, ok := c.served[key]; ok && served.UID == service.UID {
		delete(c.served, key)
	}
}

// retargeted notes which nodes are made targets and reports whether they are others than before.
func (c *controller) retargeted(service *corev1.Service, nodes []*corev1.Node) bool {
	now := targetsOf(nodes)
	c.mu.Lock()
	defer c.mu.Unlock()
	before, ok := c.targets[service.UID]
	c.targets[service.UID] = now
	return !ok || !before.equal(now)
}

// lost deletes the load balancer of a Service that was served by that name and is gone without its finalizer having been
// waited for. now is who has the name, or nil.
func (c *controller) lost(ctx context.Context, key string, now *corev1.Service) error {
	c.mu.Lock()
	served, ok := c.served[key]
	c.mu.Unlock()
	if !ok || now != nil && now.UID == served.UID {
		return nil
	}
	release, err := c.locks.acquire(ctx, served.UID)
	if err != nil {
		return err
	}
	defer release()
	gone := served.DeepCopy()
	if gone.DeletionTimestamp.IsZero() {
		gone.DeletionTimestamp = &metav1.Time{Time: c.Clock.Now()}
	}
	if err := c.delete(ctx, gone); err != nil {
		return err
	}
	c.forget(key, gone)
	return nil
}
