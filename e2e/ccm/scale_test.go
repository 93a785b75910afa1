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
	// callsToInitialise is the most that may be asked of Prism Central for all of them. The vendor's manager asks three
	// times for each: 600.
	callsToInitialise = 60
	// callsInAPeriod is the most that may be asked while the lists that were read are valid, for all of them.
	callsInAPeriod = 6
)

// asDeployed gives the client the limits that a configuration without any has.
func asDeployed(c *config.Config) {
	c.Client = config.Client{}
	c.Default()
}

// TestManyNodesNeedFewCalls: 200 Nodes register at once; then their addresses are refreshed, period after period.
func TestManyNodesNeedFewCalls(t *testing.T) {
	w := world.New(t, site, world.Options{Configure: asDeployed, Flags: []string{"--node-status-update-frequency=10s"}})
	vms := w.VMs(joining)
	calls, started := w.CountCalls(), time.Now()
	for _, vm := range vms {
		w.Register(vm.Name, vm.UUID)
	}
	registered := time.Since(started)
	w.Until("all Nodes to be initialised", func() string { return w.Uninitialised() })
	took, count := time.Since(started), calls.Total()
	t.Logf("%d Nodes: registered within %s, initialised within %s, with %d calls: %s", joining,
		registered.Round(time.Millisecond), took.Round(time.Millisecond), count, calls)
	assert.LessOrEqual(t, count, callsToInitialise, calls.String())

	// Two refreshes, each after the lists have grown old.
	for range 2 {
		calls = w.CountCalls()
		w.Until("the next refresh", func() string { return missing(calls.Total() > 0, "nothing was asked") })
		w.Throughout(25, func() string {
			return missing(calls.Total() <= callsInAPeriod, fmt.Sprintf("%d calls: %s", calls.Total(), calls))
		})
		t.Logf("a refresh of %d Nodes: %d calls: %s", joining, calls.Total(), calls)
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
	vms := w.VMs(number)
	calls, started := w.CountCalls(), time.Now()
	for _, vm := range vms {
		w.Register(vm.Name, vm.UUID)
	}
	w.Until("all Nodes to be initialised", func() string { return w.Uninitialised() })
	b.ReportMetric(time.Since(started).Seconds(), "s-to-initialise")
	b.ReportMetric(float64(calls.Total()), "calls-to-initialise")
	calls = w.CountCalls()
	w.Throughout(60, func() string { return "" }) // one refresh at least
	b.ReportMetric(float64(calls.Total()), "calls-in-12s")
	now, peak, err := w.Manager.ResidentMiB()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(now, "MiB")
	b.ReportMetric(peak, "MiB-peak")
}
