package terraform

import (
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParallelRuns(t *testing.T) {
	t.Parallel()
	terraform := newTerraform(t, Config{})
	var group sync.WaitGroup
	for range 10 {
		server := newStateServer(t)
		group.Go(func() {
			run, err := terraform.Open(t.Context(), RunOptions{Files: workspace(server.backend(), oneResource("one"))})
			if !assert.NoError(t, err) {
				return
			}
			plan, err := run.Plan(t.Context(), PlanOptions{})
			if assert.NoError(t, err) {
				assert.NoError(t, run.Apply(t.Context(), plan.Bytes))
			}
			assert.NoError(t, run.Close())
			assert.NotEmpty(t, server.stored())
			assert.False(t, server.locked())
		})
	}
	group.Wait()

	registry := prometheus.NewRegistry()
	registry.MustRegister(terraform.Collectors()...)
	families, err := registry.Gather()
	require.NoError(t, err)
	counts, cpu := map[string]uint64{}, map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "capnt_terraform_commands_running" {
				assert.Zero(t, metric.GetGauge().GetValue())
				continue
			}
			for _, label := range metric.GetLabel() {
				switch {
				case label.GetName() != "verb":
				case family.GetName() == "capnt_terraform_cpu_seconds_total":
					cpu[label.GetValue()] = metric.GetCounter().GetValue()
				default:
					counts[label.GetValue()] += metric.GetHistogram().GetSampleCount()
				}
			}
		}
	}
	assert.Equal(t, map[string]uint64{"init": 10, "plan": 10, "show": 10, "apply": 10}, counts)
	for verb := range counts {
		assert.Positive(t, cpu[verb], verb)
	}
}

// TestEndingThreadsDoNotKillTerraform ends many threads while a command runs. If one of them had started the command, Linux would kill
// the command.
func TestEndingThreadsDoNotKillTerraform(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	dir := t.TempDir()
	started, release := filepath.Join(dir, "started"), filepath.Join(dir, "release")
	run := open(t, newTerraform(t, Config{}), RunOptions{Files: workspace(server.backend(), slowResource(started, release))})
	plan, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- run.Apply(t.Context(), plan.Bytes) }()
	waitForFile(t, started)
	for range 50 {
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				// There is no call of UnlockOSThread, so that the thread ends with the goroutine.
				runtime.LockOSThread()
				runtime.Gosched()
			})
		}
		group.Wait()
	}
	writeFile(t, release)
	require.NoError(t, <-done)
}

// TestRunHasOneProvider proves that all commands of a run use the same provider process, that a command replaces a provider that was
// killed, and that no provider outlives its run.
func TestRunHasOneProvider(t *testing.T) {
	t.Parallel()
	run := open(t, newTerraform(t, Config{}), RunOptions{Files: workspace(newStateServer(t).backend(), oneResource("one"))})
	first := run.provider
	apply(t, run)
	assert.Same(t, first, run.provider)

	first.kill()
	<-first.ended
	_, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)
	assert.NotSame(t, first, run.provider)
	assert.True(t, run.provider.running())
	require.NoError(t, run.Close())
	assert.False(t, run.provider.running())
}
