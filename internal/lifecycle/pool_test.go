package lifecycle

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func object(name string) *infrav1.NutanixMachine {
	return &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
}

// startPool starts a pool. stop stops the pool and waits until Start has returned.
func startPool(t *testing.T, size int) (pool *Pool, stop func()) {
	t.Helper()
	pool = NewPool(size)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- pool.Start(ctx) }()
	require.Eventually(t, pool.started, deadline, time.Millisecond)
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-stopped)
	})
	t.Cleanup(stop)
	return pool, stop
}

func TestPoolLimitsParallelRuns(t *testing.T) {
	pool, _ := startPool(t, 3)
	var running, most atomic.Int32
	gate := make(chan struct{})
	for i := range 20 {
		name := fmt.Sprint(i)
		require.True(t, pool.Submit("M", name, object(name), func(context.Context) {
			now := running.Add(1)
			for {
				seen := most.Load()
				if now <= seen || most.CompareAndSwap(seen, now) {
					break
				}
			}
			<-gate
			running.Add(-1)
		}))
	}
	require.Eventually(t, func() bool { return running.Load() == 3 }, deadline, time.Millisecond)
	close(gate)
	ended := map[string]bool{}
	for range 20 {
		ended[(<-pool.Events("M")).Object.GetName()] = true
	}
	assert.Len(t, ended, 20)
	assert.Equal(t, int32(3), most.Load())
}

func TestPoolRunsOnePerTarget(t *testing.T) {
	pool, _ := startPool(t, 4)
	gate := make(chan struct{})
	require.True(t, pool.Submit("M", "a", object("a"), func(context.Context) { <-gate }))
	assert.False(t, pool.Submit("M", "a", object("a"), func(context.Context) { t.Error("a second run of one target") }))
	assert.True(t, pool.Running("a"))
	close(gate)
	<-pool.Events("M")
	assert.False(t, pool.Running("a"), "when the end is announced the next run may start")
	assert.True(t, pool.Submit("M", "a", object("a"), func(context.Context) {}))
	<-pool.Events("M")
}

func TestPoolSendsEventsByKind(t *testing.T) {
	pool, _ := startPool(t, 1)
	require.True(t, pool.Submit("NutanixMachine", "m", object("m"), func(context.Context) {}))
	require.True(t, pool.Submit("NutanixCluster", "c", object("c"), func(context.Context) {}))
	assert.Equal(t, "c", (<-pool.Events("NutanixCluster")).Object.GetName())
	assert.Equal(t, "m", (<-pool.Events("NutanixMachine")).Object.GetName())
}

// TestPoolDoesNotWaitForReceivers proves that a controller that does not receive its events blocks neither reconciles nor the runs of
// other kinds.
func TestPoolDoesNotWaitForReceivers(t *testing.T) {
	pool, stop := startPool(t, 1)
	var ran atomic.Int32
	for i := range 10 {
		name := fmt.Sprint(i)
		require.True(t, pool.Submit("deaf", name, object(name), func(context.Context) { ran.Add(1) }))
	}
	require.Eventually(t, func() bool { return ran.Load() == 10 }, deadline, time.Millisecond)
	require.Eventually(t, func() bool { return !pool.Running("0") && !pool.Running("9") }, deadline, time.Millisecond)
	require.True(t, pool.Submit("M", "m", object("m"), func(context.Context) {}))
	<-pool.Events("M")
	stop() // the missing receiver does not prevent the pool from stopping either
}

func TestPoolRefusesBeforeStartAndAfterStop(t *testing.T) {
	never := func(context.Context) { t.Error("it must not run") }
	assert.False(t, NewPool(1).Submit("M", "a", object("a"), never))
	pool, stop := startPool(t, 1)
	stop()
	assert.False(t, pool.Submit("M", "a", object("a"), never))
}

func TestPoolWaitsForItsRuns(t *testing.T) {
	pool, stop := startPool(t, 1)
	var finished atomic.Bool
	entered := make(chan struct{})
	require.True(t, pool.Submit("M", "a", object("a"), func(ctx context.Context) {
		close(entered)
		<-ctx.Done()
		finished.Store(true)
	}))
	require.True(t, pool.Submit("M", "waits", object("waits"), func(context.Context) {}))
	<-entered
	stop()
	assert.True(t, finished.Load())
	assert.False(t, pool.Running("a"))
	assert.False(t, pool.Running("waits"))
}

// TestPoolStopsWhileTargetsAreSubmitted proves that Start also waits for runs that were accepted while the pool was stopping.
func TestPoolStopsWhileTargetsAreSubmitted(t *testing.T) {
	for range 50 {
		pool, stop := startPool(t, 2)
		var accepted, ended atomic.Int32
		var submitters sync.WaitGroup
		for i := range 4 {
			submitters.Go(func() {
				for j := range 20 {
					key := fmt.Sprint(i, j)
					if pool.Submit("M", key, object(key), func(context.Context) { ended.Add(1) }) {
						accepted.Add(1)
					}
				}
			})
		}
		stop()
		after := ended.Load()
		submitters.Wait()
		assert.Equal(t, after, ended.Load(), "no run after the stop")
		assert.LessOrEqual(t, ended.Load(), accepted.Load())
	}
}

func TestQueuedRunIsWithdrawn(t *testing.T) {
	pool, _ := startPool(t, 1)
	gate, entered := make(chan struct{}), make(chan struct{})
	require.True(t, pool.Submit("M", "busy", object("busy"), func(context.Context) { close(entered); <-gate }))
	<-entered
	require.True(t, pool.Submit("M", "queued", object("queued"), func(context.Context) { t.Error("a withdrawn run begins") }))

	assert.True(t, pool.Withdraw("queued"), "the target is idle")
	assert.False(t, pool.Running("queued"))
	assert.False(t, pool.Withdraw("busy"), "a run that has begun goes on to its end")
	assert.True(t, pool.Running("busy"))
	assert.True(t, pool.Withdraw("unknown"), "a target without a run is idle")

	again := make(chan struct{})
	require.True(t, pool.Submit("M", "queued", object("queued"), func(context.Context) { close(again) }), "the target may run again")
	close(gate)
	<-again
	var ended []string
	for range 2 {
		ended = append(ended, (<-pool.Events("M")).Object.GetName())
	}
	assert.Equal(t, []string{"busy", "queued"}, ended, "the end of a withdrawn run is not announced")
	assert.True(t, pool.Withdraw("busy"), "an ended run leaves its target idle")
}

// TestWithdrawnRunNeverStarts proves that a run that gets a slot while it is being withdrawn either starts or is withdrawn, but never
// both.
func TestWithdrawnRunNeverStarts(t *testing.T) {
	pool, stop := startPool(t, 2)
	var begun atomic.Int32
	withdrawn := 0
	const runs = 500
	for i := range runs {
		key := fmt.Sprint(i)
		held := make(chan struct{})
		require.True(t, pool.Submit("deaf", key, object(key), func(context.Context) { begun.Add(1); <-held }))
		if i%2 == 0 {
			runtime.Gosched()
		}
		if pool.Withdraw(key) {
			withdrawn++
		}
		close(held)
	}
	require.Eventually(t, func() bool { return int(begun.Load())+withdrawn >= runs }, deadline, time.Millisecond)
	stop()
	assert.Equal(t, runs, int(begun.Load())+withdrawn)
}
