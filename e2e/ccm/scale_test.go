package ccm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/e2e/ccm/world"
)

const (
	// joining is how many Nodes register at once.
	joining = 200
	// page is how many virtual machines Prism Central lists in one answer.
	page = 100
	// callsAtFirst is the most that may be asked of Prism Central besides what is asked in each period while they join, whatever
	// their number is: versions, the topology, and what load balancers need. The vendor's manager asks three times for each
	// Node: 600.
	callsAtFirst = 20
	// listed is how long a list serves all Nodes, as deployed.
	listed = 10 * time.Second
	// callsForLoadBalancers is what the addresses of all load balancers of both kinds cost, which no Node may have.
	callsForLoadBalancers = 8
)

// asDeployed gives the client the limits that a configuration without any has.
func asDeployed(c *config.Config) {
	c.Client = config.Client{}
	c.Default()
}

// TestManyNodesNeedFewCalls: 200 Nodes register at once; then their addresses and labels are refreshed, period after period.
// A refresh of all Nodes costs as many calls as the list of their machines has pages.
func TestManyNodesNeedFewCalls(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		configure func(*config.Config)
		period    int
	}{
		"without load balancers": {func(c *config.Config) { c.LoadBalancer = config.LoadBalancer{} }, joining / page},
		"with load balancers":    {func(*config.Config) {}, joining/page + callsForLoadBalancers},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, site, world.Options{
				Configure: func(c *config.Config) { test.configure(c); asDeployed(c) },
				Flags:     []string{"--node-status-update-frequency=12s"},
			})
			vms := w.VMs(joining)
			calls, started := w.CountCalls(), time.Now()
			for _, vm := range vms {
				w.Register(vm.Name, vm.UUID)
			}
			w.Until("all Nodes to be initialised", w.Uninitialised)
			total, took := calls.Total(), time.Since(started)
			t.Logf("%d Nodes were initialised within %s, with %d calls: %s", joining, took.Round(time.Millisecond), total, calls)
			assert.LessOrEqual(t, total, callsAtFirst+test.period*(1+int(took/listed)), calls.String())
			w.Quiet()
			calls = w.CountCalls()
			w.Until("the next refresh", func() string { return missing(calls.Total() > 0, "nothing was asked") })
			w.Quiet()
			t.Logf("a refresh of %d Nodes took %d calls: %s", joining, calls.Total(), calls)
			assert.LessOrEqual(t, calls.Total(), test.period, calls.String())
		})
	}
}

// BenchmarkNodes registers Nodes at once and reports for each number how long they take, what is asked of Prism Central and
// how much memory the binary uses; 0 Nodes is the framework alone.
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
	w := world.New(b, site, world.Options{Configure: asDeployed, Flags: []string{"--node-status-update-frequency=10s"}})
	w.Patience = 10 * time.Minute
	vms := w.VMs(number)
	calls, started := w.CountCalls(), time.Now()
	for _, vm := range vms {
		w.Register(vm.Name, vm.UUID)
	}
	w.Until("all Nodes to be initialised", w.Uninitialised)
	b.ReportMetric(time.Since(started).Seconds(), "s-to-initialise")
	b.ReportMetric(float64(calls.Total()), "calls-to-initialise")
	calls = w.CountCalls()
	w.Throughout(60, func() string { return "" }) // one refresh at least
	b.ReportMetric(float64(calls.Total()), "calls-in-12s")
	memory, err := w.Manager.Memory()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(memory.Resident, "MiB")
	b.ReportMetric(memory.Peak, "MiB-peak")
	b.ReportMetric(memory.Peak*1.048576, "MB-peak")
	b.ReportMetric(memory.Anonymous, "MiB-anonymous")
}
