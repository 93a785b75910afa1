package loadbalancer

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// defaultRepairPeriod is for a configuration without its defaults.
const defaultRepairPeriod = 10 * time.Minute

func (b *Balancer) repairPeriod() time.Duration {
	if period := b.Config().LoadBalancer.RepairPeriod.Duration; period > 0 {
		return period
	}
	return defaultRepairPeriod
}

// repair has every Service that is served ensured again, one after the other within the repair period, so that Prism Central
// is not asked about all at once. It also finds Services whose class is served since the configuration changed.
func (c *controller) repair(ctx context.Context) {
	services, err := c.services.List(labels.Everything())
	if err != nil {
		klog.FromContext(ctx).Error(err, "Load balancers are not repaired")
		return
	}
	services = slices.DeleteFunc(services, func(s *corev1.Service) bool { return c.dutyOf(s) == dutyNone })
	slices.SortFunc(services, func(a, b *corev1.Service) int { return strings.Compare(string(a.UID), string(b.UID)) })
	for i, service := range services {
		after := c.repairPeriod() * time.Duration(i) / time.Duration(len(services))
		c.queue.AddAfter(item{cache.MetaObjectToName(service).String(), taskSync}, after)
	}
}
