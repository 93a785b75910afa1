package world

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
)

// ClusterCIDR is where the addresses of Pods come from.
const ClusterCIDR = "10.244.0.0/16"

// Routed lets the manager keep routes to Pods. It looks after them every 200 ms; the default is 10 s.
func Routed() Options {
	return Options{
		Configure: func(c *config.Config) {
			c.Routes = config.Routes{Enabled: true, VPC: config.Identifier{Type: "name", Name: VPC}}
		},
		Flags: []string{"--configure-cloud-routes=true", "--cluster-cidr=" + ClusterCIDR, "--route-reconciliation-period=" + monitorPeriod.String()},
	}
}

// GivePods gives a Node the addresses of its Pods, as kube-controller-manager does.
func (w *World) GivePods(node, cidr string) {
	w.t.Helper()
	w.EditNode(node, func(n *corev1.Node) { n.Spec.PodCIDR, n.Spec.PodCIDRs = cidr, []string{cidr} })
}

// RouteTo is how RoutesAre names a route.
func RouteTo(cidr, hop string) string { return cidr + " via " + hop }

// RoutesAre waits until exactly these routes are in the VPC's route table and no task is under way that could change them.
func (w *World) RoutesAre(want ...string) {
	w.t.Helper()
	w.Until("the routes", func() string { return w.RoutesDiffer(want...) })
}

// RoutesDiffer says how the routes differ from these, or what may still change them; it is empty when they are the same.
func (w *World) RoutesDiffer(want ...string) string {
	if running := w.runs(); running != "" {
		return running
	}
	have := []string{}
	for _, r := range w.Prism.Routes() {
		have = append(have, RouteTo(r.Destination, r.NextHop))
	}
	slices.Sort(have)
	slices.Sort(want)
	if slices.Equal(have, want) {
		return ""
	}
	return fmt.Sprintf("there is %q instead of %q", have, want)
}

// MakeRoute makes a route that is not the manager's, and gives it.
func (w *World) MakeRoute(name, cidr, hop string) prismsim.Route {
	w.t.Helper()
	api, ctx := w.Stranger(), w.ctx()
	vpcs, err := api.ListVPCs(ctx, VPC)
	require.NoError(w.t, err)
	table, err := api.RouteTableOfVPC(ctx, vpcs[0].UUID)
	require.NoError(w.t, err)
	_, err = api.CreateRoute(ctx, nutanix.Route{
		RouteTableUUID: table, Name: name, IsStatic: true, Destination: netip.MustParsePrefix(cidr), NextHop: netip.MustParseAddr(hop),
	})
	require.NoError(w.t, err)
	return w.Route(cidr)
}

// Route gives the one route to a destination.
func (w *World) Route(cidr string) prismsim.Route {
	w.t.Helper()
	routes := slices.DeleteFunc(w.Prism.Routes(), func(r prismsim.Route) bool { return r.Destination != cidr })
	require.Len(w.t, routes, 1, "routes to %s", cidr)
	return routes[0]
}

// Reached waits until a Node's condition says whether its Pods can be reached.
func (w *World) Reached(name string, reached bool) {
	w.t.Helper()
	want := map[bool]string{true: "False RouteCreated", false: "True NoRouteCreated"}[reached]
	w.NodeUntil(name, "to be NetworkUnavailable="+want, func(node *corev1.Node) string {
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeNetworkUnavailable && string(c.Status)+" "+c.Reason == want {
				return ""
			}
		}
		return fmt.Sprintf("its conditions are %v", node.Status.Conditions)
	})
}

// Leave takes a machine and its Node away.
func (w *World) Leave(vm Machine) {
	w.t.Helper()
	require.NoError(w.t, w.Prism.DeleteVM(vm.UUID))
	require.NoError(w.t, w.Kube.CoreV1().Nodes().Delete(w.ctx(), vm.Name, metav1.DeleteOptions{}))
}
