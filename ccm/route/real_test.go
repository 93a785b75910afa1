package route_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	controller "k8s.io/cloud-provider/controllers/route"
	controllersmetrics "k8s.io/component-base/metrics/prometheus/controllers"
	_ "k8s.io/controller-manager/pkg/features/register" // the framework's controllers ask for its features

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/ccm/route"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
)

const (
	waitFor = 2 * time.Minute
	tick    = 20 * time.Millisecond
)

const inventory = `
prismElements:
- name: pe-a
vpcs:
- {name: vpc}
subnets:
- {name: overlay, type: OVERLAY, vpc: vpc, cidr: 10.10.0.0/16, ipam: true, pools: ["10.10.0.10-10.10.0.250"]}
categories:
- {key: KubernetesClusterName, values: [blue]}
`

// world is a simulated Prism Central, and the framework's own route controller in front of the routes under test.
type world struct {
	sim    *prismsim.Server
	api    *nutanix.Client
	client *fake.Clientset
	// watches is how many watches were begun.
	watches atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sim, api := prismtest.Start(t, inventory, prismsim.Options{Log: logr.Discard()}, nutanix.Limits{})
	w := &world{sim: sim, client: fake.NewClientset(), api: api}
	w.client.PrependWatchReactor("*", func(action k8stesting.Action) (bool, watch.Interface, error) {
		begun, err := w.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		w.watches.Add(1)
		return true, begun, err
	})
	return w
}

// run runs the route controller until the test ends.
func (w *world) run(t *testing.T) {
	t.Helper()
	settings := config.Config{ClusterName: "blue", Routes: config.Routes{Enabled: true, VPC: config.Identifier{Type: "name", Name: "vpc"}}}
	routes := route.New(route.Options{API: w.api, Config: func() config.Config { return settings }, Events: record.NewFakeRecorder(1000)})
	factory := informers.NewSharedInformerFactory(w.client, 0)
	_, pods, err := net.ParseCIDR("10.244.0.0/16")
	require.NoError(t, err)
	routeController, err := controller.New(routes, w.client, factory.Core().V1().Nodes(), "kubernetes", []*net.IPNet{pods})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	factory.Start(ctx.Done())
	go func() {
		defer close(done)
		routeController.Run(ctx, 50*time.Millisecond, controllersmetrics.NewControllerManagerMetrics("test"))
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		factory.Shutdown()
	})
	// What changes between the list and the watch of an informer is never told by a fake API server.
	require.Eventually(t, func() bool { return w.watches.Load() == 1 }, waitFor, tick)
}

// addNode makes a virtual machine and its Node with the pods 10.244.<pods>.0/24. It gives the virtual machine.
func (w *world) addNode(t *testing.T, name string, pods int) prismsim.VM {
	t.Helper()
	vms, err := w.sim.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: name, PrismElement: "pe-a", Subnets: []string{"overlay"},
		Categories: map[string]string{"KubernetesClusterName": "blue"}})
	require.NoError(t, err)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	node.Spec.PodCIDRs = []string{fmt.Sprintf("10.244.%d.0/24", pods)}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: vms[0].NICs[0].IPs[0]}}
	_, err = w.client.CoreV1().Nodes().Create(context.Background(), node, metav1.CreateOptions{})
	require.NoError(t, err)
	return vms[0]
}

func (w *world) removeNode(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, w.client.CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// settles waits until Prism Central has exactly those routes: destination to next hop.
func (w *world) settles(t *testing.T, want map[string]string, why string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got := map[string]string{}
		for _, route := range w.sim.Routes() {
			got[route.Destination] = route.NextHop
		}
		assert.Equal(c, want, got)
	}, waitFor, tick, why)
}

func TestTheFrameworkKeepsRoutesInPrismCentral(t *testing.T) {
	w := newWorld(t)
	table := w.table(t)
	_, err := w.api.CreateRoute(context.Background(), nutanix.Route{RouteTableUUID: table, Name: "by hand", IsStatic: true,
		Destination: netip.MustParsePrefix("10.244.200.0/24"), NextHop: netip.MustParseAddr("10.10.0.200")})
	require.NoError(t, err)
	one, two := w.addNode(t, "worker-1", 1), w.addNode(t, "worker-2", 2)
	w.run(t)
	want := map[string]string{"10.244.200.0/24": "10.10.0.200", "10.244.1.0/24": one.NICs[0].IPs[0], "10.244.2.0/24": two.NICs[0].IPs[0]}
	w.settles(t, want, "each node has a route")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		node, err := w.client.CoreV1().Nodes().Get(context.Background(), "worker-1", metav1.GetOptions{})
		if assert.NoError(c, err) && assert.Len(c, node.Status.Conditions, 1) {
			assert.Equal(c, "RouteCreated", node.Status.Conditions[0].Reason)
		}
	}, waitFor, tick, "the node is usable")

	require.NoError(t, w.sim.DeleteVM(one.UUID))
	w.removeNode(t, "worker-1")
	delete(want, "10.244.1.0/24")
	w.settles(t, want, "the route of a node that is gone is gone")

	three := w.addNode(t, "worker-3", 1)
	want["10.244.1.0/24"] = three.NICs[0].IPs[0]
	w.settles(t, want, "another node has its pod CIDR")

	require.NoError(t, w.sim.DeleteVM(two.UUID))
	w.removeNode(t, "worker-2")
	again := w.addNode(t, "worker-2", 2)
	want["10.244.2.0/24"] = again.NICs[0].IPs[0]
	w.settles(t, want, "a node that was built anew has a new next hop")
}

// TestRoutesSurviveAFault: nothing is deleted while virtual machines cannot be told.
func TestRoutesSurviveAFault(t *testing.T) {
	w := newWorld(t)
	one := w.addNode(t, "worker-1", 1)
	w.run(t)
	want := map[string]string{"10.244.1.0/24": one.NICs[0].IPs[0]}
	w.settles(t, want, "made")
	id, err := w.sim.Faults().Set(prismsim.Fault{Path: "^/api/vmm", Status: 404, Body: "<html>not found</html>", ContentType: "text/html"})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, fault := range w.sim.Faults().List() {
			if fault.ID == id {
				assert.Greater(c, fault.Hits, 2)
			}
		}
	}, waitFor, tick, "asked again and again")
	w.settles(t, want, "kept")
}

func (w *world) table(t *testing.T) string {
	t.Helper()
	vpcs, err := w.api.ListVPCs(context.Background(), "vpc")
	require.NoError(t, err)
	require.Len(t, vpcs, 1)
	table, err := w.api.RouteTableOfVPC(context.Background(), vpcs[0].UUID)
	require.NoError(t, err)
	return table
}
