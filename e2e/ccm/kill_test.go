package ccm

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/ccm/world"
)

// doomed is the Service that the manager dies over: two ports and a floating IP, so that every kind of piece is there.
const doomed = "web"

func createDoomed(w *world.World) {
	w.Service(doomed, world.Ports(world.TCP(80), world.UDP(80)), world.Annotate(loadbalancer.AnnotationFloatingIP, "true"))
}

// serves waits until the Service is served with exactly what it needs.
func serves(w *world.World) {
	service, outside := w.Served(doomed)
	w.Until("exactly one reservation and one floating IP", func() string {
		floating, reserved := w.FloatingIPsOf(service), w.ReservationsOf(service)
		if len(floating) != 1 || len(reserved) != 1 || floating[0].Address != outside {
			return fmt.Sprintf("clients are told %s; there are %v and %v", outside, floating, reserved)
		}
		return ""
	})
	w.Balances(doomed, w.ReservationsOf(service)[0].Address, "worker-1")
}

func remove(w *world.World) {
	w.DeleteService(doomed)
	w.ServiceGone(doomed)
	require.Empty(w.T(), w.Pieces())
}

// deaths are the scenes in which the manager dies: what is prepared, what it is doing, and how it ends when it may.
var deaths = []struct {
	name                   string
	prepare, act, complete func(*world.World)
}{
	{"creating", func(*world.World) {}, createDoomed, serves},
	{
		"changing a port",
		func(w *world.World) { createDoomed(w); serves(w) },
		func(w *world.World) { w.EditService(doomed, world.Ports(world.TCP(8080), world.UDP(80))) },
		serves,
	},
	{
		"deleting",
		func(w *world.World) { createDoomed(w); serves(w) },
		func(w *world.World) { w.DeleteService(doomed) },
		func(w *world.World) { w.ServiceGone(doomed) },
	},
}

// TestManagerKilledAtEveryStep: before each request that changes something in Prism Central, and again after it was done but
// before the manager learns so, the process is killed. A new process finds all of it: the Service ends up as it should, and
// nothing is left in Prism Central when it is gone. Where the Service still is after the kill, it is also deleted before
// the new process starts.
func TestManagerKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, death := range deaths {
		t.Run(death.name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{})
			w.Join("worker-1")
			death.prepare(w)
			writes := w.CountWrites()
			death.act(w)
			death.complete(w)
			steps := writes()
			require.Positive(t, steps, "nothing is written when %s", death.name)
			t.Logf("%s takes %d requests that change something", death.name, steps)
			if w.Exists(doomed) {
				remove(w)
			}
			for step := 1; step <= steps; step++ {
				for _, done := range []bool{false, true} {
					for _, deleted := range []bool{false, true} {
						dieAt(w, death.prepare, death.act, death.complete, step, done, deleted)
					}
				}
			}
		})
	}
}

// dieAt kills the manager at a step: before the request arrives, or, when it is done, before its answer does.
func dieAt(w *world.World, prepare, act, complete func(*world.World), step int, done, deleted bool) {
	w.T().Logf("killed at step %d, done %t, deleted meanwhile %t", step, done, deleted)
	prepare(w)
	held := w.HoldWrite(step, done)
	act(w)
	w.Await(held, "the step to be reached")
	w.Manager.Kill()
	w.Proxy.Judge(nil)
	leaving := w.ReadService(doomed).DeletionTimestamp != nil
	if deleted && leaving {
		w.Start()
		w.ServiceGone(doomed)
		require.Empty(w.T(), w.Pieces())
		return
	}
	if deleted {
		w.DeleteService(doomed)
		w.Start()
		w.ServiceGone(doomed)
		require.Empty(w.T(), w.Pieces())
		return
	}
	w.Start()
	complete(w)
	if !leaving {
		remove(w)
	}
	require.Empty(w.T(), w.Pieces())
}
