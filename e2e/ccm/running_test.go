package ccm

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/ccm/world"
	"github.com/capnt/capnt/e2e/prismsim"
)

// slow are tasks that run longer than a new process needs to look.
var slow = prismsim.Latencies{Network: 400 * time.Millisecond}

// TestKilledWhileATaskRuns: the process dies as soon as Prism Central has accepted a request, whose task still runs when a new
// process looks and finds nothing of it. The new process creates what is missing, or deletes what it finds because the
// Service was deleted meanwhile; there is nothing twice, and at the end nothing is left. A deletion after the very first
// request finds nothing at all: see TestPieceThatComesTooLateIsCollected.
func TestKilledWhileATaskRuns(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		deleted bool
		steps   []int
	}{"then served": {false, []int{1, 2, 3}}, "then deleted": {true, []int{2, 3}}}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, slow, 1, 1)
			for _, step := range test.steps {
				c.wants[doomed] = c.w.Service(doomed, served, world.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
				c.dieAfterWrite(step)
				if test.deleted {
					c.delete(doomed)
				}
				if err := c.sync(t.Context(), doomed, c.nodes); err != nil {
					t.Logf("step %d, first try: %v", step, err)
				}
				c.w.Quiet()
				c.settle()
				if !test.deleted {
					c.delete(doomed)
					c.settle()
				}
				require.Empty(t, c.w.Pieces(), "step %d", step)
			}
		})
	}
}

// served makes a Service what the framework's controller makes of it.
func served(s *corev1.Service) {
	world.Annotate(loadbalancer.AnnotationType, string(config.LoadBalancerNLB))(s)
	s.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
}

// dieAfterWrite ends the process when Prism Central has accepted the n-th request that changes something, and starts another.
func (c *chaos) dieAfterWrite(n int) {
	ctx, kill := context.WithCancel(c.t.Context())
	defer kill()
	writes := 0
	c.w.Proxy.Judge(func(r *http.Request) world.Verdict {
		if r.Method == http.MethodPost {
			writes++
		}
		if writes < n {
			return world.Pass
		}
		return world.Verdict{HoldReply: true, Then: kill}
	})
	require.Error(c.t, c.sync(ctx, doomed, c.nodes))
	c.w.Proxy.Judge(nil)
	c.restart()
}

// TestPieceThatComesTooLateIsCollected: the manager is killed while the reservation of a new Service is being made, and the
// Service is deleted. When the new manager looks there is nothing yet, so the Service goes; the address appears later and
// belongs to nobody. The deletion is finished then, though orphans are only reported.
func TestPieceThatComesTooLateIsCollected(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{
		Configure: repairEvery(time.Second, config.OrphansReport), Latency: prismsim.Latencies{Network: 5 * time.Second},
	})
	held := w.HoldWrite(1, true)
	w.Service(doomed)
	w.Await(held, "the reservation to be accepted")
	w.Manager.Kill()
	w.Proxy.Judge(nil)
	w.DeleteService(doomed)
	w.Start()
	w.ServiceGone(doomed)
	w.Until("the reservation to be there after all, and collected", func() string {
		if tasks := w.Prism.Tasks(); len(tasks) < 2 {
			return "nothing was freed"
		}
		return missing(len(w.Pieces()) == 0, "it is there")
	})
}
