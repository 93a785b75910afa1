package soak

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkMachines is the number of machines that BenchmarkMachinesAtOnce creates.
const benchmarkMachines = 50

// parallelPlans is the number of plans whose memory BenchmarkMemoryOfPlans measures. It is the default of the manager's flag --max-runs.
const parallelPlans = 10

// BenchmarkMachinesAtOnce reports how long it takes until machines that are created at once are ready, and the peak of the resident memory
// of all Terraform and provider processes. Set how long Prism Central takes to create a VM with -create-latency.
func BenchmarkMachinesAtOnce(b *testing.B) {
	for b.Loop() {
		h := newHarness(b, benchmarkMachines, "--health-check-interval=1m")
		h.waitForCluster()
		ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
		peak := h.samplePeak(ctx)
		begin := time.Now()
		h.eachMachine(ctx, h.createMachine)
		created := time.Since(begin)
		h.waitForMachines(ctx)
		b.ReportMetric(time.Since(begin).Seconds(), "s/ready")
		b.ReportMetric(created.Seconds(), "s/objects")
		cancel()
		b.ReportMetric(peak()/(1<<20), "MiB-of-runs")
		h.delete(nil)
		h.deleteCluster()
	}
}

// BenchmarkMemoryOfPlans reports the resident memory of all Terraform and provider processes while plans run in parallel. All plans have
// sent a request to Prism Central, which responds only when the memory has been measured.
func BenchmarkMemoryOfPlans(b *testing.B) {
	for b.Loop() {
		h := newHarness(b, parallelPlans, "--health-check-interval=1m", "--max-runs="+strconv.Itoa(parallelPlans))
		h.create(nil)
		ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
		open := h.interceptor.holdReads()
		peak := h.samplePeak(ctx)
		h.changeMachines(ctx)
		require.NoError(b, h.Env.Wait(ctx, "all plans to read", func(context.Context) (bool, string, error) {
			held := h.interceptor.held()
			return held == parallelPlans, strconv.Itoa(held), nil
		}))
		b.ReportMetric(h.residentMemory()/(1<<20), "MiB-of-waiting-plans")
		open()
		h.waitForMachines(ctx)
		cancel()
		b.ReportMetric(peak()/(1<<20), "MiB-peak")
		h.delete(nil)
		h.deleteCluster()
	}
}

// waitForMachines waits until all machines are ready.
func (h *harness) waitForMachines(ctx context.Context) {
	h.t.Helper()
	require.NoError(h.t, h.Env.Wait(ctx, "the machines to be ready", func(ctx context.Context) (bool, string, error) {
		missing := h.notReady(ctx, nil)
		return missing == "", missing, nil
	}))
}

// samplePeak measures the resident memory of all Terraform and provider processes until the context ends. The returned function returns the
// peak in bytes.
func (h *harness) samplePeak(ctx context.Context) (peak func() float64) {
	var wait sync.WaitGroup
	highest := 0.0
	wait.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				highest = max(highest, h.residentMemory())
			}
		}
	})
	return func() float64 {
		wait.Wait()
		return highest
	}
}

// residentMemory returns the sum of the resident memory of all Terraform and provider processes, in bytes.
func (h *harness) residentMemory() float64 {
	total := 0.0
	for _, p := range h.processes() {
		fields := strings.Fields(read(filepath.Join("/proc", strconv.Itoa(p.pid), "statm")))
		if len(fields) < 2 {
			continue // the process has ended
		}
		pages, _ := strconv.ParseFloat(fields[1], 64)
		total += pages * float64(os.Getpagesize())
	}
	return total
}
