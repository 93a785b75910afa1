package ccm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/fixture"
)

const (
	// nodeCount is the number of Nodes that register at the same time.
	nodeCount = 200
	// pageSize is the number of VMs in one page of a list.
	pageSize = 100
	// initialRequests limits the number of requests that the manager sends in addition to its periodic requests while the
	// Nodes join, for example for API versions, the topology and load balancers. The limit does not depend on the number
	// of Nodes. The cloud provider of Nutanix sends three requests per Node, which would be 600.
	initialRequests = 20
	// listTTL is how long the manager uses one VM list for all Nodes, with the settings of the Deployment.
	listTTL = 10 * time.Second
	// loadBalancerRequests is the number of requests that list the addresses of all load balancers. The manager needs the
	// list because these addresses must not become node addresses.
	loadBalancerRequests = 8
)

// deployedLimits sets the client's limits to their defaults, as in the Deployment.
func deployedLimits(c *config.Config) {
	c.Client = config.Client{}
	c.Default()
}

// 200 Nodes register at the same time, and the manager refreshes their addresses and labels periodically. Refreshing
// all Nodes requires only one request per page of the VM list.
func TestManyNodesNeedFewRequests(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		configure func(*config.Config)
		period    int
	}{
		"without load balancers": {func(c *config.Config) { c.LoadBalancer = config.LoadBalancer{} }, nodeCount / pageSize},
		"with load balancers":    {func(*config.Config) {}, nodeCount/pageSize + loadBalancerRequests},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fixture.New(t, suite, fixture.Options{
				Configure: func(c *config.Config) { test.configure(c); deployedLimits(c) },
				Flags:     []string{"--node-status-update-frequency=12s"},
			})
			vms := f.CreateVMs(nodeCount)
			calls, started := f.CountRequests(), time.Now()
			for _, vm := range vms {
				f.Register(vm.Name, vm.UUID)
			}
			f.WaitFor("all Nodes to be initialised", f.UninitialisedNodes)
			total, took := calls.Total(), time.Since(started)
			t.Logf("%d Nodes were initialised within %s, with %d requests: %s", nodeCount, took.Round(time.Millisecond), total, calls)
			assert.LessOrEqual(t, total, initialRequests+test.period*(1+int(took/listTTL)), calls.String())
			f.WaitForNoRequests()
			calls = f.CountRequests()
			f.WaitFor("the next refresh", func() string { return missing(calls.Total() > 0, "no request yet") })
			f.WaitForNoRequests()
			t.Logf("a refresh of %d Nodes needed %d requests: %s", nodeCount, calls.Total(), calls)
			assert.LessOrEqual(t, calls.Total(), test.period, calls.String())
		})
	}
}

// BenchmarkNodes measures the time until all Nodes are initialised, the number of requests to Prism Central, and the
// manager's memory. The case without Nodes measures the framework alone.
func BenchmarkNodes(b *testing.B) {
	for _, number := range []int{0, 1, 200, 500} {
		b.Run(fmt.Sprint(number), func(b *testing.B) {
			for b.Loop() {
				benchmarkNodes(b, number)
			}
		})
	}
}

func benchmarkNodes(b *testing.B, number int) {
	f := fixture.New(b, suite, fixture.Options{Configure: deployedLimits, Flags: []string{"--node-status-update-frequency=10s"}})
	f.Timeout = 10 * time.Minute
	vms := f.CreateVMs(number)
	calls, started := f.CountRequests(), time.Now()
	for _, vm := range vms {
		f.Register(vm.Name, vm.UUID)
	}
	f.WaitFor("all Nodes to be initialised", f.UninitialisedNodes)
	b.ReportMetric(time.Since(started).Seconds(), "s-to-initialise")
	b.ReportMetric(float64(calls.Total()), "calls-to-initialise")
	calls = f.CountRequests()
	f.Consistently(60, func() string { return "" }) // at least one refresh
	b.ReportMetric(float64(calls.Total()), "calls-in-12s")
	memory, err := f.Manager.Memory()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(memory.Resident, "MiB")
	b.ReportMetric(memory.Peak, "MiB-peak")
	b.ReportMetric(memory.Peak*1.048576, "MB-peak")
	b.ReportMetric(memory.Anonymous, "MiB-anonymous")
}
