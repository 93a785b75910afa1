package lifecycle

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

var classes = []terraform.Class{
	terraform.LockHeld, terraform.StalePlan, terraform.Authentication, terraform.NotFound, terraform.Quota, terraform.Timeout,
	terraform.Permission, terraform.Certificate, terraform.Rejected, terraform.LocalDisk, terraform.Unreachable,
	terraform.Transient, terraform.ProviderPanic, terraform.Canceled, terraform.Invalid, terraform.Unknown,
}

// TestApplyFailsWithEachClass proves that no class of failure is terminal. A failed apply is planned again after a delay. The delay grows
// to one minute, and a success resets it.
func TestApplyFailsWithEachClass(t *testing.T) {
	for _, class := range classes {
		t.Run("apply-fails-"+string(class), func(t *testing.T) {
			f := newFixture(t)
			for range 5 {
				f.fail("apply", terraformError("apply", class))
			}
			for failures := range 5 {
				pause := backoff(terraformError("apply", class), failures)
				result := f.settle()
				require.Contains(t, []State{Failed, Locked}, result.State)
				assert.Equal(t, class == terraform.LockHeld, result.State == Locked)
				assert.Equal(t, pause, result.RetryAfter)
				assert.Nil(t, result.Applied)
				f.advance(pause)
			}
			require.Equal(t, InSync, f.settle().State)
			f.remember()
			f.fail("plan", terraformError("plan", class))
			f.render("digest-2")
			assert.Equal(t, backoff(terraformError("plan", class), 0), f.settle().RetryAfter)
			f.compare()
		})
	}
}

// TestBackoffDoesNotDelayAnotherWorkspace proves that the delay after a failure applies only to the workspace that failed.
func TestBackoffDoesNotDelayAnotherWorkspace(t *testing.T) {
	f := newFixture(t)
	f.fail("plan", terraformError("plan", terraform.Invalid))
	require.Equal(t, Failed, f.settle().State)
	f.render("digest-2")
	require.Equal(t, InSync, f.settle().State)
}

func TestIdle(t *testing.T) {
	f := newFixture(t)
	require.NotEqual(t, InSync, f.step().State)
	assert.False(t, f.pipeline.Idle(f.target), "a run is under way")
	f.wait()
	assert.False(t, f.pipeline.Idle(f.target), "there is a plan")
	f.settle()
	assert.True(t, f.pipeline.Idle(f.target))
	f.advance(10 * time.Minute)
	assert.False(t, f.pipeline.Idle(f.target), "a check is due")
	f.fail("plan", terraformError("plan", terraform.Transient))
	f.settle()
	assert.False(t, f.pipeline.Idle(f.target), "the last run failed")
	f.advance(time.Minute)
	f.step()
	f.wait()
	assert.False(t, f.pipeline.Idle(f.target), "no step has reported the last run")
	f.settle()
	assert.True(t, f.pipeline.Idle(f.target))
	f.target.CheckInterval = 0
	f.advance(1000 * time.Hour)
	assert.True(t, f.pipeline.Idle(f.target), "checks are switched off")
}

// TestIdleWithoutAWorkspace proves that a target without a rendered workspace is idle if, according to the object's status, its spec was
// applied.
func TestIdleWithoutAWorkspace(t *testing.T) {
	f := newFixture(t)
	f.settle()
	target := f.target
	target.Workspace = renderer.Workspace{}
	assert.False(t, f.pipeline.Idle(target))
	target.Remembered.Current = true
	assert.True(t, f.pipeline.Idle(target))
	f.fail("plan", terraformError("plan", terraform.Transient))
	f.render("digest-2")
	f.settle()
	assert.False(t, f.pipeline.Idle(target), "the last run failed")
}

// TestForgetRemovesTheMemory proves that the pipeline keeps no memory of a deleted object.
func TestForgetRemovesTheMemory(t *testing.T) {
	f := newFixture(t)
	f.settle()
	f.pipeline.Forget(f.target)
	assert.Empty(t, f.pipeline.memories.targets)
	assert.Nil(t, f.pipeline.recorded(f.target.Key()))
}

func TestForgetEndsAWaitingRun(t *testing.T) {
	f := newFixture(t)
	f.step()
	f.wait()
	f.pipeline.Forget(f.target)
	f.wait()
	assert.True(t, f.pipeline.Withdraw(f.target.Key()))
	assert.NotContains(t, f.String(), "apply")
}

// TestLastPlanSurvivesAStatusThatWasNotWritten proves that an event is reported once, but that every step reports the results of the last
// run. So if a reconcile fails to write the status, the next reconcile writes it.
func TestLastPlanSurvivesAStatusThatWasNotWritten(t *testing.T) {
	f := newFixture(t)
	first := f.settle()
	require.NotEmpty(t, first.Events)
	again := f.step()
	assert.Empty(t, again.Events)
	assert.Equal(t, first.LastPlan, again.LastPlan)
	assert.Equal(t, first.LastApplied, again.LastApplied)
	require.NotNil(t, f.status.LastAppliedTime)
	assert.Equal(t, int32(1), f.status.LastPlan.Create)
	assert.Equal(t, "digest-1", f.status.WorkspaceDigest)
	assert.Equal(t, "lineage", f.status.Lineage)
}

// If Prism Central refuses the credentials, a run ends before it starts a process.
func TestRunWithRefusedCredentialsStartsNoProcess(t *testing.T) {
	f := newFixture(t)
	f.fail("session", &gateway.CredentialsRefusedError{Address: "prism:9440", RetryAt: f.clock.Now().Add(time.Minute)})
	result := f.settle()
	assert.Equal(t, Failed, result.State)
	assert.Equal(t, infrav1.AuthenticationFailedReason, FailureReason(result.Err))
	assert.Contains(t, result.Err.Error(), "tried again at 2026-08-01T12:01:00Z")
	assert.Nil(t, f.options.Files, "no workspace was opened")
}

func TestRunningReportsOnlyARun(t *testing.T) {
	f := newFixture(t)
	release := sync.OnceFunc(f.block("plan"))
	defer release()
	unrendered := f.target
	unrendered.Workspace = renderer.Workspace{}
	_, running := f.pipeline.Running(unrendered)
	assert.False(t, running)
	assert.False(t, f.pipeline.Scheduler.Running(f.target.Key()), "no run was started")
	require.Equal(t, Running, f.step().State)
	result, running := f.pipeline.Running(unrendered)
	assert.True(t, running)
	assert.Equal(t, Running, result.State)
	release()
	f.wait()
	_, running = f.pipeline.Running(unrendered)
	assert.False(t, running)
}

// BeforeDestroy may change the infrastructure, so it is called only for infrastructure that is going to be destroyed.
func TestOnlyADestructionIsPrepared(t *testing.T) {
	f := newFixture(t)
	var prepared []string
	f.target.Hooks.BeforeDestroy = func(_ context.Context, id string) error {
		prepared = append(prepared, id)
		return nil
	}
	require.NoError(t, prepareDestruction(t.Context(), f.target, "vm-1"))
	f.delete()
	require.NoError(t, prepareDestruction(t.Context(), f.target, ""))
	assert.Empty(t, prepared)
	require.NoError(t, prepareDestruction(t.Context(), f.target, "vm-2"))
	assert.Equal(t, []string{"vm-2"}, prepared)
}

// Only failures of Prism Central show that it keeps a resource.
func TestDestroyFailuresOfPrismCentralAreCounted(t *testing.T) {
	for name, test := range map[string]struct {
		failure terraform.Error
		destroy bool
		want    int
	}{
		"Prism Central": {terraform.Error{Class: terraform.Rejected, Source: terraform.SourceProvider}, true, 1},
		"unknown":       {terraform.Error{Class: terraform.Unknown, Source: terraform.SourceTerraform}, true, 1},
		"another plan":  {terraform.Error{Class: terraform.Rejected, Source: terraform.SourceProvider}, false, 0},
		"backend":       {terraform.Error{Class: terraform.Permission, Source: terraform.SourceBackend}, true, 0},
		"disk":          {terraform.Error{Class: terraform.LocalDisk, Source: terraform.SourceTerraform}, true, 0},
		"lock":          {terraform.Error{Class: terraform.LockHeld, Source: terraform.SourceTerraform}, true, 0},
	} {
		m := &memory{}
		m.remember(failed{err: &test.failure, applying: &plan.Record{Destroy: test.destroy}}, "digest-1", time.Now())
		assert.Equal(t, test.want, m.destroyFailures, name)
	}
}
