package schedule

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixture is a scheduler whose runs wait until the test ends them. Its clock stands still while the test computes.
type fixture struct {
	*Scheduler
	t *testing.T
	// begun lists the keys of the runs that have started, in order.
	begun []string
	gates map[string]chan struct{}
}

func test(t *testing.T, options Options, run func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, gates: map[string]chan struct{}{}}
		f.Scheduler, _ = start(t, options)
		f.starts = 0
		run(f)
	})
}

// submit submits runs with the same properties and the keys name-0, name-1 and so on.
func (f *fixture) submit(name string, count int, properties Run) {
	f.t.Helper()
	for i := range count {
		key, gate, submitted := fmt.Sprintf("%s-%d", name, i), make(chan struct{}), properties
		f.gates[key] = gate
		submitted.Key, submitted.Kind = key, key
		submitted.Do = func(ctx context.Context) {
			f.mu.Lock()
			f.begun = append(f.begun, key)
			f.mu.Unlock()
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		require.True(f.t, f.Submit(submitted))
		synctest.Wait()
	}
}

// started returns the runs that have started since the last call.
func (f *fixture) started() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	begun := f.begun
	f.begun = nil
	return begun
}

func (f *fixture) finish(keys ...string) {
	for _, key := range keys {
		close(f.gates[key])
		synctest.Wait()
	}
}

// pass lets time pass.
func (f *fixture) pass(duration time.Duration) {
	<-time.After(duration)
	synctest.Wait()
}

func TestLanesStartInOrder(t *testing.T) {
	test(t, Options{Slots: 1}, func(f *fixture) {
		f.submit("busy", 1, Run{Lane: Check})
		f.submit("check", 1, Run{Lane: Check})
		f.submit("update", 1, Run{Lane: Update})
		f.submit("create", 2, Run{Lane: Create})
		f.submit("delete", 1, Run{Lane: Delete})
		f.finish("busy-0", "delete-0", "create-0", "create-1", "update-0")
		assert.Equal(t, []string{"busy-0", "delete-0", "create-0", "create-1", "update-0", "check-0"}, f.started())
	})
}

func TestCreateStartsBeforeThousandDueChecks(t *testing.T) {
	test(t, Options{Slots: 10, Memory: 3072}, func(f *fixture) {
		f.submit("check", 1000, Run{Lane: Check})
		f.submit("create", 1, Run{Lane: Create})
		require.Len(t, f.started(), 10)
		f.finish("check-0")
		assert.Equal(t, []string{"create-0"}, f.started(), "the create gets the first slot that is free")
	})
}

// TestNoLaneStarves proves that a check starts even if there are always creates in the queue.
func TestNoLaneStarves(t *testing.T) {
	test(t, Options{Slots: 1}, func(f *fixture) {
		f.submit("create-0", 1, Run{Lane: Create})
		f.submit("check", 1, Run{Lane: Check})
		for i := 0; !assert.ObjectsAreEqual([]string{"check-0"}, f.started()); i++ {
			require.Less(t, i, oldestEvery)
			f.submit(fmt.Sprint("create-", i+1), 1, Run{Lane: Create})
			f.finish(fmt.Sprintf("create-%d-0", i))
		}
	})
}

// TestAppliesNeedNoSlot proves that an apply does not wait for plans, and that plans do not wait for applies.
func TestAppliesNeedNoSlot(t *testing.T) {
	test(t, Options{Slots: 2, Memory: 3072}, func(f *fixture) {
		f.submit("plan", 300, Run{Lane: Create})
		require.Equal(t, []string{"plan-0", "plan-1"}, f.started())
		f.submit("apply", 10, Run{Lane: Update, Waits: true})
		assert.Len(t, f.started(), 10, "no apply waits for the 300 plans")
		f.finish("plan-0")
		assert.Equal(t, []string{"plan-2"}, f.started(), "no plan waits for the 10 applies")
	})
}

// TestApplyStartsBeforePlansOfItsLane proves that applies get free memory first.
func TestApplyStartsBeforePlansOfItsLane(t *testing.T) {
	test(t, Options{Slots: 1, Memory: RunMemory}, func(f *fixture) {
		f.submit("busy", 1, Run{Lane: Create})
		f.submit("plan", 1, Run{Lane: Create})
		f.submit("apply", 1, Run{Lane: Create, Waits: true})
		f.finish("busy-0", "apply-0")
		assert.Equal(t, []string{"busy-0", "apply-0", "plan-0"}, f.started())
	})
}

// TestMemoryLimitsAllRuns proves that the number of runs is limited, and that tenants with many waiting applies leave memory for others.
func TestMemoryLimitsAllRuns(t *testing.T) {
	test(t, Options{Slots: 10, Memory: 25 * RunMemory}, func(f *fixture) {
		for i, want := range []int{17, 6, 2} {
			tenant := fmt.Sprint(i)
			f.submit("apply-"+tenant, 50, Run{Tenant: tenant, Waits: true})
			assert.Len(t, f.started(), want)
		}
		f.submit("late", 1, Run{Tenant: "late", Waits: true})
		require.Empty(t, f.started())
		f.finish("apply-0-0")
		require.Equal(t, []string{"late-0"}, f.started(), "the tenant without a run is next")
	})
}

// TestRunsDifferInMemory proves that a run is counted with its own memory, and that smaller runs do not keep a larger one waiting.
func TestRunsDifferInMemory(t *testing.T) {
	test(t, Options{Slots: 10, Memory: 9 * RunMemory}, func(f *fixture) {
		f.submit("large", 3, Run{Lane: Create, Memory: 4 * RunMemory})
		assert.Equal(t, []string{"large-0", "large-1"}, f.started())
		f.submit("other", 2, Run{Lane: Create, Tenant: "other"})
		assert.Empty(t, f.started(), "the memory is kept for the large run")
		f.finish("large-0")
		assert.ElementsMatch(t, []string{"other-0", "large-2"}, f.started())
	})
	test(t, Options{Slots: 10, Memory: 3 * RunMemory}, func(f *fixture) {
		f.submit("check", 10, Run{Lane: Check})
		require.Len(t, f.started(), 2)
		f.submit("delete", 1, Run{Lane: Delete, Tenant: "other", Memory: 2 * RunMemory})
		f.finish("check-0")
		assert.Equal(t, []string{"delete-0"}, f.started(), "smaller runs do not keep a larger one waiting")
	})
	test(t, Options{Slots: 1, Memory: RunMemory}, func(f *fixture) {
		f.submit("apply", 1, Run{Lane: Create, Waits: true})
		assert.Equal(t, []string{"apply-0"}, f.started(), "a run that needs all memory starts if no other run is active")
	})
}

// TestAppliesLeaveMemoryForDeletionsAndPlans proves that many creates that wait for Prism Central do not block other runs of their tenant.
func TestAppliesLeaveMemoryForDeletionsAndPlans(t *testing.T) {
	test(t, Options{Slots: 10, Memory: 25 * RunMemory}, func(f *fixture) {
		f.submit("create", 50, Run{Lane: Create, Waits: true})
		require.Len(t, f.started(), 15)
		f.submit("plan", 1, Run{Lane: Check})
		assert.Equal(t, []string{"plan-0"}, f.started())
		f.submit("destroy", 1, Run{Lane: Delete, Waits: true})
		assert.Equal(t, []string{"destroy-0"}, f.started())
	})
}

// TestHangingTenantDoesNotDelayOthers proves that the runs of a Prism Central that never answers delay those of another one by less than
// 5 seconds, with as many runs at a time as if there were no other Prism Central.
func TestHangingTenantDoesNotDelayOthers(t *testing.T) {
	test(t, Options{Slots: 4, Memory: 3072, Timeout: time.Hour}, func(f *fixture) {
		f.submit("hangs", 100, Run{Tenant: "hangs", Lane: Create})
		f.submit("hangs, too", 100, Run{Tenant: "hangs, too", Lane: Create, Waits: true})
		f.started()
		f.submit("plan", 10, Run{Tenant: "answers", Lane: Check})
		f.submit("apply", 1, Run{Tenant: "answers", Lane: Update, Waits: true})
		f.pass(5 * time.Second)
		assert.ElementsMatch(t, []string{"apply-0", "plan-0", "plan-1", "plan-2", "plan-3"}, f.started())
	})
}

// TestSlotsOfHangingRunsAreTakenByOtherTenants proves that a run counts against the slots of its own tenant until it ends.
func TestSlotsOfHangingRunsAreTakenByOtherTenants(t *testing.T) {
	test(t, Options{Slots: 2}, func(f *fixture) {
		f.submit("a", 3, Run{Tenant: "a"})
		f.submit("b", 3, Run{Tenant: "b"})
		assert.Equal(t, []string{"a-0", "a-1"}, f.started())
		f.pass(slotTime - time.Millisecond)
		assert.Empty(t, f.started())
		f.pass(time.Millisecond)
		assert.ElementsMatch(t, []string{"b-0", "b-1"}, f.started())
		f.pass(time.Hour)
		assert.Empty(t, f.started())
	})
}

func TestTenantWithFewestRunsIsNext(t *testing.T) {
	test(t, Options{Slots: 3}, func(f *fixture) {
		f.submit("a", 6, Run{Tenant: "a"})
		f.submit("b", 2, Run{Tenant: "b"})
		f.submit("c", 1, Run{Tenant: "c"})
		f.finish("a-0", "a-1", "a-2", "c-0")
		assert.Equal(t, []string{"a-0", "a-1", "a-2", "b-0", "c-0", "a-3", "a-4"}, f.started())
	})
}

// TestPlanThatIsAppliedFreesItsSlot proves that a run that goes on with an apply needs memory for applies, but no slot any more.
func TestPlanThatIsAppliedFreesItsSlot(t *testing.T) {
	test(t, Options{Slots: 1}, func(f *fixture) {
		f.submit("plan", 2, Run{Lane: Create})
		assert.Equal(t, []string{"plan-0"}, f.started())
		assert.True(t, f.StartWaiting("plan-0"))
		assert.Equal(t, []string{"plan-1"}, f.started())
		f.finish("plan-0", "plan-1")
	})
	test(t, Options{Slots: 10, Memory: 8 * RunMemory}, func(f *fixture) {
		f.submit("wait", 5, Run{Lane: Create, Waits: true})
		f.submit("plan", 1, Run{Lane: Create})
		assert.Len(t, f.started(), 6)
		assert.False(t, f.StartWaiting("plan-0"), "applies leave memory for plans and deletions")
		f.finish("wait-0", "wait-1", "wait-2", "wait-3", "wait-4")
		assert.True(t, f.StartWaiting("plan-0"))
		f.finish("plan-0")
	})
}
