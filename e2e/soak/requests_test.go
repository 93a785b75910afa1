package soak

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// managerAgent is the user agent of the requests that the manager itself sends to Prism Central. The other requests come from the provider.
const managerAgent = "capnt-manager"

// furtherMachines is the number of machines that BenchmarkRequestsPerMachine creates after the first one.
const furtherMachines = 4

// BenchmarkRequestsPerMachine reports the number of requests to Prism Central until a machine with bootstrap data is ready: for the first
// machine of a template, and for each of several machines that are created together afterwards. Run it with -benchtime=1x.
func BenchmarkRequestsPerMachine(b *testing.B) {
	for b.Loop() {
		h := newHarness(b, 1+furtherMachines, "--health-check-interval=1m") // the default
		h.waitForCluster()
		all := h.machines
		own, provider := h.requestsToCreate(all[:1])
		b.ReportMetric(own, "own-requests/first-machine")
		b.ReportMetric(provider, "provider-requests/first-machine")
		own, provider = h.requestsToCreate(all[1:])
		b.ReportMetric(own/furtherMachines, "own-requests/further-machine")
		b.ReportMetric(provider/furtherMachines, "provider-requests/further-machine")
		h.machines = all
		h.delete(nil)
		h.deleteCluster()
	}
}

// waitForCluster waits until the cluster is ready, so that its requests are not counted.
func (h *harness) waitForCluster() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	cluster := &infrav1.NutanixCluster{}
	cluster.Namespace, cluster.Name = namespace, clusterName
	require.NoError(h.t, h.Env.WaitForCondition(ctx, cluster, infrav1.ReadyCondition, metav1.ConditionTrue))
}

// requestsToCreate creates machines and returns the numbers of requests until all of them are ready and have been reconciled for the last
// time.
func (h *harness) requestsToCreate(machines []string) (own, provider float64) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	h.machines = machines
	before := len(h.Prism.Requests())
	h.eachMachine(ctx, h.createMachine)
	h.waitForMachines(ctx)
	last, since := 0, time.Now()
	require.NoError(h.t, h.Env.Wait(ctx, "no requests for a second", func(context.Context) (bool, string, error) {
		if now := len(h.Prism.Requests()); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second, "", nil
	}))
	for _, request := range h.Prism.Requests()[before:] {
		if request.Agent == managerAgent {
			own++
			// The log of a benchmark is truncated.
			_, _ = fmt.Fprintf(os.Stdout, "%s %s %s\n", request.Time.Format(time.TimeOnly), request.Method, request.Path)
		} else {
			provider++
		}
	}
	return own, provider
}
