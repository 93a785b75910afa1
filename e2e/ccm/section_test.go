package ccm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/ccm/world"
)

// TestOneKindOfLoadBalancerAlone: with the section of either kind alone Nodes are initialised, a Service is served and deleted,
// one that wants none is left alone, and what a Service that is gone has left is deleted.
func TestOneKindOfLoadBalancerAlone(t *testing.T) {
	t.Parallel()
	for kind, only := range map[config.LoadBalancerType]struct {
		of      func(*config.LoadBalancer)
		subnet  string
		address string
	}{
		config.LoadBalancerIPAM: {func(lb *config.LoadBalancer) { lb.NLB = nil }, world.VLANSubnet, "10.20.1.77"},
		config.LoadBalancerNLB:  {func(lb *config.LoadBalancer) { lb.IPAM = nil }, world.ServiceSubnet, "10.11.0.77"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{Configure: func(c *config.Config) {
				repairEvery(time.Second, config.OrphansDelete)(c)
				only.of(&c.LoadBalancer)
				c.LoadBalancer.Type, c.LoadBalancer.Classes = kind, map[string]config.LoadBalancerType{}
			}})
			w.Join("worker-1")
			w.Service("none", world.Annotate(loadbalancer.AnnotationType, "none"))
			web := w.Service("web")
			w.Until("an address for the Service", func() string { return missing(len(w.ReservationsOf(web)) == 1, "there is none") })
			assert.NotContains(t, fmt.Sprint(w.Events(w.Namespace, "none")), "loadBalancer.")

			const gone = "/dddddddd-0000-4000-8000-000000000001"
			require.NoError(t, w.Prism.ReserveIP(only.subnet, only.address, w.Config.ClusterName+gone))
			w.Until("the orphan to go", func() string { return missing(len(w.Reservations()) == 1, "it is there") })
			w.DeleteService("web")
			w.ServiceGone("web")
			require.Empty(t, w.Pieces())
		})
	}
}

// TestAnotherClusterOfTheSameName: what its Services have in Prism Central is no orphan of this one.
func TestAnotherClusterOfTheSameName(t *testing.T) {
	t.Parallel()
	w := world.New(t, site, world.Options{Configure: repairEvery(time.Second, config.OrphansDelete)})
	const address = "10.11.0.78"
	require.NoError(t, w.Prism.ReserveIP(world.ServiceSubnet, address, w.Config.ClusterName+"/dddddddd-0000-4000-8000-000000000002/ffffffff"))
	w.EventUntil("", "kube-system", "ClusterNameTaken", "ffffffff")
	w.Throughout(20, func() string { return missing(len(w.Reservations()) == 1, "the other cluster lost its address") })
	w.Unreserve(address)
}
