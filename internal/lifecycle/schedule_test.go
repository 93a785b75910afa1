package lifecycle

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/schedule"
)

func TestLaneOfRun(t *testing.T) {
	for name, test := range map[string]struct {
		observed Observed
		action   string
		want     schedule.Lane
	}{
		"first plan":               {Observed{Rendered: "new"}, actionPlan, schedule.Create},
		"first apply":              {Observed{Rendered: "new"}, actionApply, schedule.Create},
		"retry of the first apply": {Observed{Rendered: "new", Unfinished: true}, actionPlan, schedule.Create},
		"changed workspace":        {Observed{Rendered: "new", Applied: "old"}, actionPlan, schedule.Update},
		"apply of a change":        {Observed{Rendered: "new", Applied: "old"}, actionApply, schedule.Update},
		"check":                    {Observed{Rendered: "new", Applied: "new"}, actionPlan, schedule.Check},
		"check of a waiting plan":  {Observed{Rendered: "new", Applied: "new", Plan: &plan.Record{}}, actionPlan, schedule.Check},
		"apply that reverts drift": {Observed{Rendered: "new", Applied: "new"}, actionApply, schedule.Update},
		"retry of a failed run":    {Observed{Rendered: "new", Applied: "new", Unfinished: true}, actionPlan, schedule.Update},
		"destroy plan":             {Observed{Rendered: "new", Deleting: true}, actionPlan, schedule.Delete},
		"destroy apply":            {Observed{Rendered: "new", Applied: "new", Deleting: true}, actionApply, schedule.Delete},
		"export before a deletion": {Observed{Rendered: "new", Applied: "new", Deleting: true, Retain: true}, actionRetain, schedule.Delete},
	} {
		assert.Equal(t, test.want, test.observed.lane(test.action), name)
	}
}

// TestMemoryDependsOnProviderVersion proves that runs are counted with the memory of the provider that they use.
func TestMemoryDependsOnProviderVersion(t *testing.T) {
	f := newFixture(t)
	for version, memory := range map[string]int{"": 64, "1.9.5": 64, "2.4.2": 96} {
		f.target.ProviderVersion = version
		assert.Equal(t, memory, f.pipeline.scheduledRun(f.target, Observed{}, actionPlan).Memory, version)
	}
}

// TestTenantIsPrismCentralWithCredentials proves that objects whose runs use the same Prism Central and credentials share a tenant.
func TestTenantIsPrismCentralWithCredentials(t *testing.T) {
	f := newFixture(t)
	first := f.pipeline.scheduledRun(f.target, Observed{}, actionPlan)
	assert.Equal(t, first.Tenant, f.pipeline.scheduledRun(f.target, Observed{}, actionApply).Tenant)
	f.target.Upstream.Address = "127.0.0.1:2"
	second := f.pipeline.scheduledRun(f.target, Observed{}, actionPlan)
	assert.NotEqual(t, first.Tenant, second.Tenant)
	f.target.Upstream.Password = "another"
	assert.NotEqual(t, second.Tenant, f.pipeline.scheduledRun(f.target, Observed{}, actionPlan).Tenant)
}

func TestOnlyAppliesNeedNoSlot(t *testing.T) {
	f := newFixture(t)
	for action, waits := range map[string]bool{actionPlan: false, actionApply: true, actionRetain: false} {
		assert.Equal(t, waits, f.pipeline.scheduledRun(f.target, Observed{}, action).Waits, action)
	}
}

// TestApplyDoesNotWaitForASlot proves that a plan is applied while all slots are in use.
func TestApplyDoesNotWaitForASlot(t *testing.T) {
	f := newFixture(t)
	f.step()
	f.wait()
	done := make(chan struct{})
	defer close(done)
	f.occupy("a", false, done)
	f.occupy("b", false, done)
	require.True(t, f.step().Applying)
	f.wait()
	assert.Equal(t, InSync, f.step().State)
}

// TestApplyNeedsMemory proves that a run does not go on with its apply if there is not enough memory for another run that waits for Prism
// Central, and that the plan is applied later.
func TestApplyNeedsMemory(t *testing.T) {
	f := newFixture(t)
	f.scheduling = schedule.Options{Slots: 2, Memory: 8 * schedule.RunMemory}
	f.restart()
	f.step()
	f.wait()
	done := make(chan struct{})
	for i := range 6 {
		f.occupy(fmt.Sprint("apply-", i), true, done)
	}
	f.occupy("plan", false, done)
	assert.False(t, f.step().Applying)
	f.wait()
	close(done)
	assert.Equal(t, InSync, f.settle().State)
}

// TestWaitingRunEnds proves that a run that waits for the step that decides about its plan ends if the target is withdrawn, for example
// because the object is paused, and if there is no step in time.
func TestWaitingRunEnds(t *testing.T) {
	f := newFixture(t)
	f.step()
	f.wait()
	require.True(t, f.pipeline.Scheduler.Running(f.target.Key()))
	assert.False(t, f.pipeline.Withdraw(f.target.Key()), "the run has not ended yet")
	assert.False(t, f.pipeline.endWaitingRun(f.target.Key()), "the run does not wait until the step is too late")
	assert.False(t, f.pipeline.continueRun(f.target.Key()), "the withdrawn run no longer waits for a step")
	f.wait()
	assert.True(t, f.pipeline.Withdraw(f.target.Key()))
	assert.NotContains(t, f.String(), "apply")

	late := make(chan bool, 1)
	require.True(t, f.pipeline.Scheduler.Submit(schedule.Run{Key: "late", Kind: "none", Do: func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		late <- f.pipeline.awaitStep(ctx, "late")
	}}))
	assert.False(t, <-late)
	assert.False(t, f.pipeline.continueRun("late"), "the step comes too late")
}
