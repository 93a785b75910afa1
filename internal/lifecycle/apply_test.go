package lifecycle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

var classes = []terraform.Class{
	terraform.LockHeld, terraform.StalePlan, terraform.Authentication, terraform.NotFound, terraform.Quota, terraform.Timeout,
	terraform.Permission, terraform.Certificate, terraform.Rejected, terraform.LocalDisk, terraform.Unreachable,
	terraform.Transient, terraform.ProviderPanic, terraform.Canceled, terraform.Invalid, terraform.Unknown,
}

// No class of failure is terminal: the plan is made anew after a pause, whose length grows to a minute and starts over
// after a success.
func TestApplyFailsWithEachClass(t *testing.T) {
	for _, class := range classes {
		t.Run("apply-fails-"+string(class), func(t *testing.T) {
			w := newWorld(t)
			for range 5 {
				w.fail("apply", terraformError("apply", class))
			}
			for failures := range 5 {
				pause := backoff(terraformError("apply", class), failures)
				result := w.settle()
				require.Contains(t, []State{Failed, Locked}, result.State)
				assert.Equal(t, class == terraform.LockHeld, result.State == Locked)
				assert.Equal(t, pause, result.RetryAfter)
				assert.Nil(t, result.Applied)
				w.advance(pause)
			}
			require.Equal(t, InSync, w.settle().State)
			w.remember()
			w.fail("plan", terraformError("plan", class))
			w.render("digest-2")
			assert.Equal(t, backoff(terraformError("plan", class), 0), w.settle().RetryAfter)
			w.compare()
		})
	}
}

// A failure of one workspace does not make another one wait.
func TestAnotherWorkspaceDoesNotBackOff(t *testing.T) {
	w := newWorld(t)
	w.fail("plan", terraformError("plan", terraform.Invalid))
	require.Equal(t, Failed, w.settle().State)
	w.render("digest-2")
	require.Equal(t, InSync, w.settle().State)
}

func TestIdle(t *testing.T) {
	w := newWorld(t)
	require.NotEqual(t, InSync, w.step().State)
	assert.False(t, w.pipeline.Idle(w.target), "a run is under way")
	w.wait()
	assert.False(t, w.pipeline.Idle(w.target), "there is a plan")
	w.settle()
	assert.True(t, w.pipeline.Idle(w.target))
	w.advance(10 * time.Minute)
	assert.False(t, w.pipeline.Idle(w.target), "a check is due")
	w.fail("plan", terraformError("plan", terraform.Transient))
	w.settle()
	assert.False(t, w.pipeline.Idle(w.target), "the last run failed")
	w.advance(time.Minute)
	w.step()
	w.wait()
	assert.False(t, w.pipeline.Idle(w.target), "no step has reported the last run")
	w.settle()
	assert.True(t, w.pipeline.Idle(w.target))
	w.target.CheckInterval = 0
	w.advance(1000 * time.Hour)
	assert.True(t, w.pipeline.Idle(w.target), "checks are switched off")
}

// A target without a rendered workspace is idle if the object says that its spec was applied.
func TestIdleWithoutAWorkspace(t *testing.T) {
	w := newWorld(t)
	w.settle()
	target := w.target
	target.Workspace = renderer.Workspace{}
	assert.False(t, w.pipeline.Idle(target))
	target.Remembered.Current = true
	assert.True(t, w.pipeline.Idle(target))
	w.fail("plan", terraformError("plan", terraform.Transient))
	w.render("digest-2")
	w.settle()
	assert.False(t, w.pipeline.Idle(target), "the last run failed")
}

// Nothing is kept of objects that are gone.
func TestForget(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.pipeline.Forget(w.target)
	assert.Empty(t, w.pipeline.memories.targets)
	_, planned := w.pipeline.plans.Get(w.target.Key())
	assert.False(t, planned)
}

// What happened is told once, what it led to with every step: a status that could not be written is written later.
func TestLastPlanSurvivesAStatusThatWasNotWritten(t *testing.T) {
	w := newWorld(t)
	first := w.settle()
	require.NotEmpty(t, first.Events)
	again := w.step()
	assert.Empty(t, again.Events)
	assert.Equal(t, first.LastPlan, again.LastPlan)
	assert.Equal(t, first.LastApplied, again.LastApplied)
	require.NotNil(t, w.status.LastAppliedTime)
	assert.Equal(t, int32(1), w.status.LastPlan.Create)
	assert.Equal(t, "digest-1", w.status.WorkspaceDigest)
	assert.Equal(t, "lineage", w.status.Lineage)
}
