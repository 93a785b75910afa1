package ccm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

// Only one type of load balancer is configured. The manager initialises Nodes, creates and deletes the load balancer of
// a Service, ignores a Service of type none, and deletes orphans.
func TestSingleLoadBalancerTypeIsConfigured(t *testing.T) {
	t.Parallel()
	for kind, only := range map[config.LoadBalancerType]struct {
		of      func(*config.LoadBalancer)
		subnet  string
		address string
	}{
		config.LoadBalancerIPAM: {func(lb *config.LoadBalancer) { lb.NLB = nil }, fixture.VLANSubnet, "10.20.1.77"},
		config.LoadBalancerNLB:  {func(lb *config.LoadBalancer) { lb.IPAM = nil }, fixture.ServiceSubnet, "10.11.0.77"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.Options{Configure: func(c *config.Config) {
				repairEvery(time.Second, config.OrphansDelete)(c)
				only.of(&c.LoadBalancer)
				c.LoadBalancer.Type, c.LoadBalancer.Classes = kind, map[string]config.LoadBalancerType{}
			}})
			f.Join("worker-1")
			f.CreateService("none", fixture.Annotate(loadbalancer.AnnotationType, "none"))
			web := f.CreateService("web")
			f.WaitFor("an address for the Service", func() string { return missing(len(f.ReservationsOf(web)) == 1, "none found") })
			assert.NotContains(t, fmt.Sprint(f.Events(f.Namespace, "none")), "loadBalancer.")

			const gone = "/dddddddd-0000-4000-8000-000000000001"
			require.NoError(t, f.Prism.ReserveIP(only.subnet, only.address, f.Config.ClusterName+gone))
			f.WaitFor("the orphan to be deleted", func() string { return missing(len(f.Reservations()) == 1, "it still exists") })
			f.DeleteService("web")
			f.WaitForServiceDeleted("web")
			require.Empty(t, f.Entities())
		})
	}
}

// Entities of another cluster that has the same name are not orphans of this cluster.
func TestEntitiesOfClusterWithSameNameAreKept(t *testing.T) {
	t.Parallel()
	f := fixture.New(t, suite, fixture.Options{Configure: repairEvery(time.Second, config.OrphansDelete)})
	const address = "10.11.0.78"
	require.NoError(t, f.Prism.ReserveIP(fixture.ServiceSubnet, address, f.Config.ClusterName+"/dddddddd-0000-4000-8000-000000000002/ffffffff"))
	f.WaitForEvent("", "kube-system", "ClusterNameTaken", "ffffffff")
	f.Consistently(20, func() string {
		return missing(len(f.Reservations()) == 1, "the other cluster's reservation was deleted")
	})
	f.Unreserve(address)
}
