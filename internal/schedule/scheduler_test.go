package schedule

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// start starts a scheduler. stop stops it and waits until Start has returned.
func start(t *testing.T, options Options) (scheduler *Scheduler, stop func()) {
	t.Helper()
	scheduler = New(options)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- scheduler.Start(ctx) }()
	for !scheduler.Submit(run("started", func(context.Context) {})) {
		runtime.Gosched()
	}
	<-scheduler.Events("M")
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-stopped)
	})
	t.Cleanup(stop)
	return scheduler, stop
}

// run returns a run of a target whose name is key.
func run(key string, do func(ctx context.Context)) Run {
	return Run{Key: key, Kind: "M", Object: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: key}}, Do: do}
}

func name(e event.GenericEvent) string { return e.Object.GetName() }

func TestSlotsLimitParallelRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheduler, _ := start(t, Options{Slots: 3})
		var running atomic.Int32
		gate := make(chan struct{})
		for i := range 20 {
			require.True(t, scheduler.Submit(run(fmt.Sprint(i), func(context.Context) {
				running.Add(1)
				<-gate
				running.Add(-1)
			})))
		}
		for range 20 {
			synctest.Wait()
			assert.LessOrEqual(t, running.Load(), int32(3))
			gate <- struct{}{}
		}
		ended := map[string]bool{}
		for range 20 {
			ended[name(<-scheduler.Events("M"))] = true
		}
		assert.Len(t, ended, 20)
	})
}

func TestOneRunPerTarget(t *testing.T) {
	scheduler, _ := start(t, Options{Slots: 4})
	gate := make(chan struct{})
	require.True(t, scheduler.Submit(run("a", func(context.Context) { <-gate })))
	assert.False(t, scheduler.Submit(run("a", func(context.Context) { t.Error("a second run of one target") })))
	assert.True(t, scheduler.Running("a"))
	close(gate)
	<-scheduler.Events("M")
	assert.False(t, scheduler.Running("a"), "when the end is announced the next run may start")
	assert.True(t, scheduler.Submit(run("a", func(context.Context) {})))
	<-scheduler.Events("M")
}

func TestEventsAreSentByKind(t *testing.T) {
	scheduler, _ := start(t, Options{Slots: 1})
	cluster := run("c", func(context.Context) {})
	cluster.Kind = "NutanixCluster"
	require.True(t, scheduler.Submit(run("m", func(context.Context) {})))
	require.True(t, scheduler.Submit(cluster))
	assert.Equal(t, "c", name(<-scheduler.Events("NutanixCluster")))
	assert.Equal(t, "m", name(<-scheduler.Events("M")))
}

// TestSchedulerDoesNotWaitForReceivers proves that a controller that does not receive its events blocks neither reconciles nor other runs.
func TestSchedulerDoesNotWaitForReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheduler, stop := start(t, Options{Slots: 1})
		var ran atomic.Int32
		for i := range 10 {
			deaf := run(fmt.Sprint(i), func(context.Context) { ran.Add(1) })
			deaf.Kind = "deaf"
			require.True(t, scheduler.Submit(deaf))
		}
		synctest.Wait()
		assert.Equal(t, int32(10), ran.Load())
		assert.False(t, scheduler.Running("0") || scheduler.Running("9"))
		require.True(t, scheduler.Submit(run("m", func(context.Context) {})))
		<-scheduler.Events("M")
		stop() // the missing receiver does not prevent the scheduler from stopping either
	})
}

func TestSchedulerRefusesBeforeStartAndAfterStop(t *testing.T) {
	never := run("a", func(context.Context) { t.Error("it must not run") })
	assert.False(t, New(Options{Slots: 1}).Submit(never))
	scheduler, stop := start(t, Options{Slots: 1})
	stop()
	assert.False(t, scheduler.Submit(never))
}

func TestSchedulerWaitsForActiveRunsWhenItStops(t *testing.T) {
	scheduler, stop := start(t, Options{Slots: 1})
	var finished atomic.Bool
	entered := make(chan struct{})
	require.True(t, scheduler.Submit(run("a", func(ctx context.Context) {
		close(entered)
		<-ctx.Done()
		finished.Store(true)
	})))
	require.True(t, scheduler.Submit(run("waits", func(context.Context) { t.Error("a run starts after the stop") })))
	<-entered
	stop()
	assert.True(t, finished.Load())
	assert.False(t, scheduler.Running("a"))
	assert.False(t, scheduler.Running("waits"))
}

// TestSchedulerStopsWhileTargetsAreSubmitted proves that Start also waits for runs that were accepted while the scheduler was stopping.
func TestSchedulerStopsWhileTargetsAreSubmitted(t *testing.T) {
	for range 50 {
		scheduler, stop := start(t, Options{Slots: 2})
		var accepted, ended atomic.Int32
		var submitters sync.WaitGroup
		for i := range 4 {
			submitters.Go(func() {
				for j := range 20 {
					if scheduler.Submit(run(fmt.Sprint(i, j), func(context.Context) { ended.Add(1) })) {
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
	scheduler, _ := start(t, Options{Slots: 1})
	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	require.True(t, scheduler.Submit(run("busy", func(context.Context) { <-gate })))
	require.True(t, scheduler.Submit(run("queued", func(context.Context) { t.Error("a withdrawn run begins") })))

	assert.True(t, scheduler.Withdraw("queued"), "the target is idle")
	assert.False(t, scheduler.Running("queued"))
	assert.False(t, scheduler.Withdraw("busy"), "a run that has begun goes on to its end")
	assert.True(t, scheduler.Running("busy"))
	assert.True(t, scheduler.Withdraw("unknown"), "a target without a run is idle")

	again := make(chan struct{})
	require.True(t, scheduler.Submit(run("queued", func(context.Context) { close(again) })), "the target may run again")
	release()
	<-again
	var ended []string
	for range 2 {
		ended = append(ended, name(<-scheduler.Events("M")))
	}
	assert.Equal(t, []string{"busy", "queued"}, ended, "the end of a withdrawn run is not announced")
	assert.True(t, scheduler.Withdraw("busy"), "an ended run leaves its target idle")
}

// TestWithdrawnRunNeverStarts proves that a run that gets a slot while it is being withdrawn either starts or is withdrawn, but never
// both.
func TestWithdrawnRunNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheduler, _ := start(t, Options{Slots: 2})
		var begun atomic.Int32
		withdrawn := 0
		const runs = 500
		for i := range runs {
			key := fmt.Sprint(i)
			deaf := run(key, func(context.Context) { begun.Add(1) })
			deaf.Kind = "deaf"
			require.True(t, scheduler.Submit(deaf))
			if i%2 == 0 {
				runtime.Gosched()
			}
			if scheduler.Withdraw(key) && scheduler.Submit(deaf) && scheduler.Withdraw(key) {
				withdrawn++
			}
		}
		synctest.Wait()
		assert.GreaterOrEqual(t, int(begun.Load())+withdrawn, runs)
	})
}

func TestRunIsInterruptedAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheduler, _ := start(t, Options{Slots: 1, Timeout: 30 * time.Minute})
		begin := time.Now()
		ended := make(chan error, 1)
		require.True(t, scheduler.Submit(run("hangs", func(ctx context.Context) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
		})))
		err := <-ended
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "30m0s")
		assert.Equal(t, 30*time.Minute, time.Since(begin))
	})
}
