package nutanixmachine

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

var syncMachines = flag.Int("sync-machines", 500, "number of machines of BenchmarkMachinesInSync")

// syncTime is the time for which BenchmarkMachinesInSync observes the machines, and syncPeriod is how often it reconciles each of them.
const (
	syncTime   = 10 * time.Minute
	syncPeriod = time.Minute
)

// BenchmarkMachinesInSync reports how many plans and how many requests to Prism Central machines in sync cause in ten minutes. Terraform and
// Prism Central are doubles, and the clock is simulated. Run it with -benchtime=1x.
func BenchmarkMachinesInSync(b *testing.B) {
	for b.Loop() {
		e := prepare(b)
		e.CreateMachine(e.Environment)
		e.settle()
		machines := []*infrav1.NutanixMachine{e.NutanixMachine}
		for i := range *syncMachines - 1 {
			machine := e.machineLike(fmt.Sprint("sync-", i))
			e.Settle(e.reconciler, kind, machine)
			require.True(b, machine.Status.Ready, "%+v", machine.Status.Conditions)
			machines = append(machines, machine)
		}
		// Each machine is observed in the course of a day, so that ten minutes in which machines are due are as good as any others.
		e.Advance(12 * time.Hour)
		for _, machine := range machines {
			e.Settle(e.reconciler, kind, machine)
		}
		e.Terraform.Runs()
		e.Prism.Requests()
		begin := time.Now()
		for range syncTime / syncPeriod {
			e.Advance(syncPeriod)
			for _, machine := range machines {
				e.Settle(e.reconciler, kind, machine)
			}
		}
		plans, lists := 0, 0
		for _, run := range e.Terraform.Runs() {
			if run == "plan" {
				plans++
			}
		}
		requests := e.Prism.Requests()
		for _, request := range requests {
			if strings.HasSuffix(request, "vms/list") {
				lists++
			}
		}
		b.ReportMetric(float64(plans), "plans")
		b.ReportMetric(float64(lists), "VM-lists")
		b.ReportMetric(float64(len(requests)-lists), "other-requests")
		b.ReportMetric(time.Since(begin).Seconds()/float64(len(machines))*1000/float64(syncTime/syncPeriod), "ms/reconcile")
	}
}
