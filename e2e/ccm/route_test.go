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
	"github.com/capnt/capnt/e2e/ccm/fixture"
	"github.com/capnt/capnt/e2e/prismsim"
)

// These are the Pod CIDRs of the Nodes, and a next hop that is not the address of any machine in the cluster.
const (
	pods1, pods2, pods3 = "10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"
	foreignHop          = "10.10.0.200"
)

// joinRouted creates a machine whose Node has a Pod CIDR, and returns the machine.
func joinRouted(f *fixture.Fixture, name, cidr string) fixture.Machine {
	vm := f.Join(name)
	f.SetPodCIDR(name, cidr)
	return vm
}

// Each Node with a Pod CIDR gets a route to its VM. The manager updates the next hop when the VM's address changes, and
// deletes the route when the Node is deleted. The manager keeps routes of other owners in the same table, even if their
// names start with the cluster's name or they were created for another cluster with the same name.
func TestRoutesFollowNodes(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.WithRoutes())
	byHand, other := "10.244.200.0/24", "10.99.0.0/24"
	f.CreateRoute("by hand", byHand, foreignHop)
	f.CreateRoute(f.Config.ClusterName+"-other-pods-10.99.0.0-24", other, foreignHop)
	twin := "10.244.201.0/24"
	f.CreateRoute(f.Config.ClusterName+"-ffffffff-pods-10.244.201.0-24", twin, foreignHop)
	foreign := []string{fixture.RouteTo(byHand, foreignHop), fixture.RouteTo(other, foreignHop), fixture.RouteTo(twin, foreignHop)}

	gone, stays := joinRouted(f, "gone", pods1), joinRouted(f, "stays", pods2)
	f.WaitForRoutes(append(foreign, fixture.RouteTo(pods1, gone.IPs()[0]), fixture.RouteTo(pods2, stays.IPs()[0]))...)
	for _, name := range []string{"gone", "stays"} {
		f.WaitForNetwork(name, true)
		assert.NotContains(t, fmt.Sprint(f.Events(metav1.NamespaceDefault, name)), "FailedToCreateRoute")
	}

	require.NoError(t, f.Prism.DeleteVM(gone.UUID))
	f.SetReady("gone", false)
	f.WaitForNodeDeleted("gone")
	f.WaitForRoutes(append(foreign, fixture.RouteTo(pods2, stays.IPs()[0]))...)

	const moved = "10.10.0.77"
	f.SetAddress(stays, moved)
	f.WaitForRoutes(append(foreign, fixture.RouteTo(pods2, moved))...)
	f.WaitForNetwork("stays", true)
}

// The destination of an existing route that the manager did not create equals a Node's Pod CIDR. The manager keeps that
// route and reports the conflict in an event and in the NetworkUnavailable condition. Once the existing route is
// deleted, the manager creates the route of the Node.
func TestConflictingRouteIsReported(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.WithRoutes())
	foreign := f.CreateRoute("by hand", pods1, foreignHop)
	vm := joinRouted(f, "worker-1", pods1)
	event := f.WaitForEvent(metav1.NamespaceDefault, "worker-1", route.ReasonConflict, "by hand", foreign.UUID)
	assert.Contains(t, event, "remove it, or give the cluster another pod CIDR")
	f.WaitForNetwork("worker-1", false)
	f.Consistently(10, func() string {
		return missing(assert.ObjectsAreEqual([]prismsim.Route{foreign}, f.Prism.Routes()), fmt.Sprintf("the routes are %v", f.Prism.Routes()))
	})

	require.NoError(t, f.Prism.DeleteRoute(foreign.UUID))
	f.WaitForRoutes(fixture.RouteTo(pods1, vm.IPs()[0]))
	f.WaitForNetwork("worker-1", true)
}

// It is unknown whether every Prism Central accepts an IP address as the next hop of a route. If Prism Central rejects
// the route, an event of the Node reports the error, and the Node's NetworkUnavailable condition stays True. The
// manager creates the route as soon as Prism Central accepts it.
func TestRefusedRouteIsReported(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.WithRoutes())
	f.Prism.SetNetworkRules(prismsim.NetworkRules{NoAddressNextHop: true})
	vm := joinRouted(f, "worker-1", pods1)
	f.WaitForEvent(metav1.NamespaceDefault, "worker-1", "FailedToCreateRoute", "is not supported")
	f.WaitForNetwork("worker-1", false)
	assert.Empty(t, f.Prism.Routes())

	f.Prism.SetNetworkRules(prismsim.NetworkRules{})
	f.WaitForRoutes(fixture.RouteTo(pods1, vm.IPs()[0]))
	f.WaitForNetwork("worker-1", true)
}

// While Prism Central is unavailable or a proxy responds with 404, one machine and its Node are deleted, one route is
// deleted, and one Node gets a Pod CIDR. The manager changes no route during the outage, and corrects all three routes
// afterwards.
func TestRoutesAreRepaired_AfterPrismCentralOutage(t *testing.T) {
	t.Parallel()
	notFound := fixture.Action{Status: http.StatusNotFound, ContentType: "text/html", Body: page404}
	cases := map[string]fixture.Rule{
		"unavailable":         fixture.Unavailable,
		"a proxy's 404 pages": func(*http.Request) fixture.Action { return notFound },
		"a proxy's 404 pages for virtual machines": func(r *http.Request) fixture.Action {
			if strings.HasPrefix(r.URL.Path, "/api/vmm/") {
				return notFound
			}
			return fixture.Forward
		},
	}
	for name, rule := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.WithRoutes())
			leaves, loses, starts := joinRouted(f, "leaves", pods1), joinRouted(f, "loses", pods2), f.Join("starts")
			f.WaitForRoutes(fixture.RouteTo(pods1, leaves.IPs()[0]), fixture.RouteTo(pods2, loses.IPs()[0]))
			f.WaitForNetwork("leaves", true) // no task may still run when the outage starts
			f.WaitForNetwork("loses", true)

			f.Proxy.SetRule(rule)
			f.WaitForNextLog("Couldn't reconcile node routes") // the previous reconciliation has ended
			f.RemoveMachine(leaves)
			require.NoError(t, f.Prism.DeleteRoute(f.Route(pods2).UUID))
			f.SetPodCIDR("starts", pods3)
			f.Consistently(10, func() string { return f.RouteDifference(fixture.RouteTo(pods1, leaves.IPs()[0])) })

			f.Proxy.SetRule(nil)
			f.WaitForRoutes(fixture.RouteTo(pods2, loses.IPs()[0]), fixture.RouteTo(pods3, starts.IPs()[0]))
			f.WaitForNetwork("loses", true)
			f.WaitForNetwork("starts", true)
		})
	}
}

// The manager is killed at each request that changes the route table: once before Prism Central gets the request, and
// once while the task of the accepted request is running. A new process must create the routes that the current Nodes
// need, without duplicate or leftover routes. The test also covers Nodes that are deleted before the new process
// starts.
func TestManagerKilledDuringRouteChanges(t *testing.T) {
	t.Parallel()
	for step := 1; step <= 2; step++ {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, done %t", step, done), func(t *testing.T) {
				t.Parallel()
				options := fixture.WithRoutes()
				// Tasks are slow, so that a new process lists the routes before a task of the old process ends.
				options.Latency = prismsim.Latencies{Network: 2 * time.Second}
				f := fixture.New(t, suite, options)
				killDuringRouteChanges(f, step, done)
			})
		}
	}
}

func killDuringRouteChanges(f *fixture.Fixture, step int, done bool) {
	kill := func(step int, what string, act func()) {
		f.T().Logf("killing the manager at write %d when %s, after the write: %t", step, what, done)
		held := f.HoldWrite(step, done)
		act()
		f.Await(held, "the write to be held")
		f.Manager.Kill()
		f.Proxy.SetRule(nil)
	}
	one, two := f.Join("worker-1"), f.Join("worker-2")
	begin := func() {
		f.SetPodCIDR("worker-1", pods1)
		f.SetPodCIDR("worker-2", pods2)
	}
	kill(step, "routes are created", begin)
	f.Start()
	f.WaitForRoutes(fixture.RouteTo(pods1, one.IPs()[0]), fixture.RouteTo(pods2, two.IPs()[0]))
	f.WaitForNetwork("worker-1", true)
	f.WaitForNetwork("worker-2", true)

	const moved = "10.10.0.77"
	kill(1, "the next hop of a route changes", func() { f.SetAddress(one, moved) })
	f.Start()
	f.WaitForRoutes(fixture.RouteTo(pods1, moved), fixture.RouteTo(pods2, two.IPs()[0]))

	end := func() {
		f.RemoveMachine(one)
		f.RemoveMachine(two)
	}
	kill(step, "routes are deleted", end)
	f.Start()
	f.WaitForRoutes()

	one, two = f.Join("worker-1"), f.Join("worker-2")
	kill(step, "routes are created for Nodes that are deleted before the restart", begin)
	end()
	f.Start()
	f.WaitForRoutes()
}
