package ccm

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm/route"
	"github.com/capnt/capnt/e2e/ccm/world"
	"github.com/capnt/capnt/e2e/prismsim"
)

// Ranges of addresses of Pods, and a next hop that is no machine of the cluster.
const (
	pods1, pods2, pods3 = "10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"
	elsewhere           = "10.10.0.200"
)

// joinRouted makes a machine with a Node that has addresses for Pods, and gives the machine.
func joinRouted(w *world.World, name, cidr string) world.Machine {
	vm := w.Join(name)
	w.GivePods(name, cidr)
	return vm
}

// TestRoutesFollowNodes: every Node's Pods have a route to its machine. It goes with the Node, and follows the machine to
// another address. What others made in the same table stays, also where its name begins alike, or where their cluster has the
// same name.
func TestRoutesFollowNodes(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Routed())
	byHand, other := "10.244.200.0/24", "10.99.0.0/24"
	w.MakeRoute("by hand", byHand, elsewhere)
	w.MakeRoute(w.Config.ClusterName+"-other-pods-10.99.0.0-24", other, elsewhere)
	twin := "10.244.201.0/24"
	w.MakeRoute(w.Config.ClusterName+"-ffffffff-pods-10.244.201.0-24", twin, elsewhere)
	foreign := []string{world.RouteTo(byHand, elsewhere), world.RouteTo(other, elsewhere), world.RouteTo(twin, elsewhere)}

	gone, stays := joinRouted(w, "gone", pods1), joinRouted(w, "stays", pods2)
	w.RoutesAre(append(foreign, world.RouteTo(pods1, gone.IPs()[0]), world.RouteTo(pods2, stays.IPs()[0]))...)
	for _, name := range []string{"gone", "stays"} {
		w.Reached(name, true)
		assert.NotContains(t, fmt.Sprint(w.Events(metav1.NamespaceDefault, name)), "FailedToCreateRoute")
	}

	require.NoError(t, w.Prism.DeleteVM(gone.UUID))
	w.SetReady("gone", false)
	w.NodeGone("gone")
	w.RoutesAre(append(foreign, world.RouteTo(pods2, stays.IPs()[0]))...)

	const moved = "10.10.0.77"
	w.Readdress(stays, moved)
	w.RoutesAre(append(foreign, world.RouteTo(pods2, moved))...)
	w.Reached("stays", true)
}

// TestForeignRouteInTheWayIsTold: a route of somebody else has a Node's Pods as its destination. It stays, the Node says
// that its Pods cannot be reached and why, and as soon as it is out of the way they are.
func TestForeignRouteInTheWayIsTold(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Routed())
	foreign := w.MakeRoute("by hand", pods1, elsewhere)
	vm := joinRouted(w, "worker-1", pods1)
	told := w.EventUntil(metav1.NamespaceDefault, "worker-1", route.ReasonConflict, "by hand", foreign.UUID)
	assert.Contains(t, told, "remove it, or give the cluster another pod CIDR")
	w.Reached("worker-1", false)
	w.Throughout(10, func() string {
		return missing(assert.ObjectsAreEqual([]prismsim.Route{foreign}, w.Prism.Routes()), fmt.Sprintf("the routes are %v", w.Prism.Routes()))
	})

	require.NoError(t, w.Prism.DeleteRoute(foreign.UUID))
	w.RoutesAre(world.RouteTo(pods1, vm.IPs()[0]))
	w.Reached("worker-1", true)
}

// TestRoutesHealWhenPrismCentralIsBack: while answers are wrong a Node goes, another loses its route and a third gets Pods.
// Nothing is changed then; as soon as answers are right, all three are as they should be.
func TestRoutesHealWhenPrismCentralIsBack(t *testing.T) {
	t.Parallel()
	notFound := world.Verdict{Status: http.StatusNotFound, ContentType: "text/html", Body: page404}
	cases := map[string]world.Rule{
		"it is away":          world.Down,
		"a proxy's 404 pages": func(*http.Request) world.Verdict { return notFound },
		"a proxy's 404 pages for virtual machines": func(r *http.Request) world.Verdict {
			if strings.HasPrefix(r.URL.Path, "/api/vmm/") {
				return notFound
			}
			return world.Pass
		},
	}
	for name, rule := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Routed())
			leaves, loses, starts := joinRouted(w, "leaves", pods1), joinRouted(w, "loses", pods2), w.Join("starts")
			w.RoutesAre(world.RouteTo(pods1, leaves.IPs()[0]), world.RouteTo(pods2, loses.IPs()[0]))
			w.Reached("leaves", true) // it waits for no task any more
			w.Reached("loses", true)

			w.Proxy.Judge(rule)
			w.LogAgain("Couldn't reconcile node routes") // what began before is over
			w.Leave(leaves)
			require.NoError(t, w.Prism.DeleteRoute(w.Route(pods2).UUID))
			w.GivePods("starts", pods3)
			w.Throughout(10, func() string { return w.RoutesDiffer(world.RouteTo(pods1, leaves.IPs()[0])) })

			w.Proxy.Judge(nil)
			w.RoutesAre(world.RouteTo(pods2, loses.IPs()[0]), world.RouteTo(pods3, starts.IPs()[0]))
			w.Reached("loses", true)
			w.Reached("starts", true)
		})
	}
}

// TestManagerKilledOverRoutes: before each request that changes the route table, and again after Prism Central has accepted
// it and its task runs, the process is killed. A new process makes the table what the Nodes want, also where these are
// gone meanwhile; nothing is twice and nothing is left.
func TestManagerKilledOverRoutes(t *testing.T) {
	t.Parallel()
	for step := 1; step <= 2; step++ {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, done %t", step, done), func(t *testing.T) {
				t.Parallel()
				options := world.Routed()
				// Longer than a new process needs to look.
				options.Latency = prismsim.Latencies{Network: 2 * time.Second}
				w := world.New(t, site, options)
				killedOverRoutes(w, step, done)
			})
		}
	}
}

func killedOverRoutes(w *world.World, step int, done bool) {
	die := func(step int, what string, act func()) {
		w.T().Logf("killed at step %d when %s, done %t", step, what, done)
		held := w.HoldWrite(step, done)
		act()
		w.Await(held, "the step to be reached")
		w.Manager.Kill()
		w.Proxy.Judge(nil)
	}
	one, two := w.Join("worker-1"), w.Join("worker-2")
	begin := func() {
		w.GivePods("worker-1", pods1)
		w.GivePods("worker-2", pods2)
	}
	die(step, "routes are made", begin)
	w.Start()
	w.RoutesAre(world.RouteTo(pods1, one.IPs()[0]), world.RouteTo(pods2, two.IPs()[0]))
	w.Reached("worker-1", true)
	w.Reached("worker-2", true)

	const moved = "10.10.0.77"
	die(1, "a route is led elsewhere", func() { w.Readdress(one, moved) })
	w.Start()
	w.RoutesAre(world.RouteTo(pods1, moved), world.RouteTo(pods2, two.IPs()[0]))

	end := func() {
		w.Leave(one)
		w.Leave(two)
	}
	die(step, "routes are deleted", end)
	w.Start()
	w.RoutesAre()

	one, two = w.Join("worker-1"), w.Join("worker-2")
	die(step, "routes of Nodes are made that are gone before a new process starts", begin)
	end()
	w.Start()
	w.RoutesAre()
}
