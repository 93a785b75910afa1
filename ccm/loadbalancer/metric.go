package loadbalancer

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/capnt/capnt/ccm/config"
)

var (
	servedGauge = metrics.NewGaugeVec(&metrics.GaugeOpts{
		Namespace: "capnt_ccm", Name: "load_balancers", StabilityLevel: metrics.ALPHA,
		Help: "Services that have a load balancer of that type.",
	}, []string{"type"})
	orphanGauge = metrics.NewGauge(&metrics.GaugeOpts{
		Namespace: "capnt_ccm", Name: "load_balancer_orphans", StabilityLevel: metrics.ALPHA,
		Help: "Load balancers of this cluster in Prism Central whose Service is gone.",
	})
	register = sync.OnceFunc(func() { legacyregistry.MustRegister(servedGauge, orphanGauge) })
)

// census counts the Services that are served, by type.
type census struct {
	mu     sync.Mutex
	served map[types.UID]config.LoadBalancerType
}

// set says by which type a Service is served, where none takes it out, and reports whether it was another.
func (c *census) set(uid types.UID, by config.LoadBalancerType) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.served[uid]
	if c.served == nil {
		c.served = map[types.UID]config.LoadBalancerType{}
	}
	delete(c.served, uid)
	if by != config.LoadBalancerNone {
		c.served[uid] = by
	}
	for _, one := range []config.LoadBalancerType{config.LoadBalancerNLB, config.LoadBalancerIPAM} {
		count := 0
		for _, served := range c.served {
			if served == one {
				count++
			}
		}
		servedGauge.WithLabelValues(string(one)).Set(float64(count))
	}
	return before != by
}

// of gives the type by which a Service is served, if it is known.
func (c *census) of(uid types.UID) (by config.LoadBalancerType, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by, known = c.served[uid]
	return by, known
}
