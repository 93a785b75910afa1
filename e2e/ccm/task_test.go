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
	"github.com/capnt/capnt/e2e/ccm/fixture"
	"github.com/capnt/capnt/e2e/prismsim"
)

// slowTasks makes tasks so slow that a new process lists the entities before a task of the old process ends.
var slowTasks = prismsim.Latencies{Network: 400 * time.Millisecond}

// The process is killed after Prism Central has accepted a request and while the task of the request is still running.
// A new process does not find the entity yet. The new process creates the missing entities or, if the Service has been
// deleted in the meantime, deletes the entities that it finds. No duplicate or leftover entities may remain.
// TestLateReservationIsDeleted covers a deletion after the first request, when the new process finds no entities.
func TestManagerKilledDuringTask(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		deleted bool
		steps   []int
	}{"then served": {false, []int{1, 2, 3}}, "then deleted": {true, []int{2, 3}}}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, slowTasks, 1, 1)
			for _, step := range test.steps {
				c.wants[webService] = c.f.CreateService(webService, likeFramework, fixture.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
				c.killAfterWrite(step)
				if test.deleted {
					c.delete(webService)
				}
				if err := c.sync(t.Context(), webService, c.nodes); err != nil {
					t.Logf("step %d, first try: %v", step, err)
				}
				c.f.WaitForNoRequests()
				c.syncAll()
				if !test.deleted {
					c.delete(webService)
					c.syncAll()
				}
				require.Empty(t, c.f.Entities(), "step %d", step)
			}
		})
	}
}

// likeFramework adds the finalizer and the type annotation to a Service, as the framework's service controller does.
func likeFramework(s *corev1.Service) {
	fixture.Annotate(loadbalancer.AnnotationType, string(config.LoadBalancerNLB))(s)
	s.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
}

// killAfterWrite simulates that the process is killed after Prism Central has accepted the n-th write request, and then
// starts a new process.
func (c *chaos) killAfterWrite(n int) {
	ctx, kill := context.WithCancel(c.t.Context())
	defer kill()
	writes := 0
	c.f.Proxy.SetRule(func(r *http.Request) fixture.Action {
		if r.Method == http.MethodPost {
			writes++
		}
		if writes < n {
			return fixture.Forward
		}
		return fixture.Action{HoldResponse: true, OnHold: kill}
	})
	require.Error(c.t, c.sync(ctx, webService, c.nodes))
	c.f.Proxy.SetRule(nil)
	c.restart()
}

// The manager is killed while Prism Central reserves the address of a new Service, and then the Service is deleted. The
// new manager finds no reservation, so the deletion completes. When the reservation appears later, the manager deletes
// it, even though the manager is configured only to report orphans.
func TestLateReservationIsDeleted(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{
		Configure: repairEvery(time.Second, config.OrphansReport), Latency: prismsim.Latencies{Network: 5 * time.Second},
	})
	held := f.HoldWrite(1, true)
	f.CreateService(webService)
	f.Await(held, "the reservation to be accepted")
	f.Manager.Kill()
	f.Proxy.SetRule(nil)
	f.DeleteService(webService)
	f.Start()
	f.WaitForServiceDeleted(webService)
	f.WaitFor("the late reservation to appear and be deleted", func() string {
		if tasks := f.Prism.Tasks(); len(tasks) < 2 {
			return "no unreserve task yet"
		}
		return missing(len(f.Entities()) == 0, "it still exists")
	})
}
