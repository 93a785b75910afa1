package terraform

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStalePlan(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), oneResource("one"))})
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		require.NoError(t, run.Apply(t.Context(), plan.Bytes))

		err = run.Apply(t.Context(), plan.Bytes)
		assert.Equal(t, StalePlan, ClassOf(err), "%v", err)
		assert.Equal(t, RetryImmediately, ClassOf(err).Retry())

		other := newStateServer(t)
		elsewhere := open(t, terraform, RunOptions{Files: workspace(other.backend(), oneResource("one"))})
		apply(t, elsewhere)
		plan, err = elsewhere.Plan(t.Context(), PlanOptions{Destroy: true})
		require.NoError(t, err)
		moved := server.stored()
		other.mutex.Lock()
		other.state = moved
		other.mutex.Unlock()
		err = elsewhere.Apply(t.Context(), plan.Bytes)
		assert.Equal(t, StalePlan, ClassOf(err), "%v", err)
	})
}

// TestBackendIsSourceOfItsErrors uses Terraform's http backend with a server that responds with errors.
func TestBackendIsSourceOfItsErrors(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), oneResource("one"))})
		for status, want := range map[int]Class{
			http.StatusUnauthorized: Authentication, http.StatusForbidden: Authentication, http.StatusInternalServerError: Transient,
		} {
			server.refuse(status)
			_, err := run.Plan(t.Context(), PlanOptions{})
			assert.Equal(t, SourceBackend, SourceOf(err), "%v", err)
			assert.Equal(t, want, ClassOf(err), "%v", err)
		}
	})
}

func TestLockHeldByAnother(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), oneResource("one"))})
		server.holdLock(map[string]any{
			"ID": "3b8c0f3e-cc52-3390-b7a5-ae1faa9d01e1", "Operation": "OperationTypeApply", "Who": "ann@laptop", "Version": "1.11.4",
			"Created": "2026-02-18T01:53:51.747726783Z", "Info": "", "Path": "",
		})
		_, err := run.Plan(t.Context(), PlanOptions{})
		var failure *Error
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, LockHeld, failure.Class)
		require.NotNil(t, failure.Lock)
		assert.Equal(t, "3b8c0f3e-cc52-3390-b7a5-ae1faa9d01e1", failure.Lock.ID)
		// With the http backend, Terraform reports only the ID of the lock, and Who is empty.
		assert.Contains(t, []string{"", "ann@laptop"}, failure.Lock.Who)
		assert.ErrorContains(t, err, "running terraform plan: the state is locked")

		for verb, act := range map[string]func() error{
			"untaint": func() error { return run.Untaint(t.Context(), "terraform_data.this") },
			"import":  func() error { return run.Import(t.Context(), "terraform_data.this", "id") },
			"push":    func() error { return run.Push(t.Context(), []byte(`{"version":4,"serial":1,"lineage":"a"}`)) },
		} {
			assert.Equal(t, LockHeld, ClassOf(act()), verb)
		}

		require.NoError(t, run.Unlock(t.Context(), failure.Lock.ID))
		_, err = run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.False(t, server.locked())
	})
}

func TestCanceledApplyKeepsStateAndReleasesLock(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		started := filepath.Join(t.TempDir(), "started")
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), slowResource(started, "/never"))})
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)

		ctx, cancel := cancelable(t)
		done := make(chan error, 1)
		go func() { done <- run.Apply(ctx, plan.Bytes) }()
		waitForFile(t, started)
		cancel()
		err = <-done
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, Canceled, ClassOf(err))

		assert.False(t, server.locked(), "the lock was released")
		state := resources(t, run)
		require.Len(t, state, 2, "what was made is known")
		assert.Equal(t, "terraform_data.first", state[0].Address)
		assert.True(t, state[1].Tainted)
	})
}

func TestExceededDeadlineIsATimeout(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	run := open(t, newTerraform(t, Config{}), RunOptions{Files: workspace(server.backend(), oneResource("one"))})
	cause := fmt.Errorf("the run has taken too long: %w", context.DeadlineExceeded)
	deadline, stop := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, cause)
	defer stop()
	server.whenRead(func() { <-deadline.Done() })
	_, err := run.State(deadline)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, context.Canceled)
	assert.Equal(t, Timeout, ClassOf(err))
	assert.ErrorContains(t, err, "the run has taken too long")

	_, err = run.State(deadline)
	assert.Equal(t, Timeout, ClassOf(err), "a context that is over starts nothing")
}

func TestRunIsKilledAfterGrace(t *testing.T) {
	t.Parallel()
	terraform := newTerraform(t, Config{InterruptGrace: 200 * time.Millisecond})
	server := newStateServer(t)
	dir := t.TempDir()
	started := filepath.Join(dir, "started")
	run := open(t, terraform, RunOptions{Files: workspace(server.backend(), `
resource "terraform_data" "stubborn" {
  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    command     = "trap '' INT TERM; touch `+started+`; while :; do sleep 0.05; done"
  }
}`)})
	plan, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)
	ctx, cancel := cancelable(t)
	done := make(chan error, 1)
	go func() { done <- run.Apply(ctx, plan.Bytes) }()
	waitForFile(t, started)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.NoError(t, run.Close())
	assert.Eventually(t, func() bool {
		children, providers := childEnvironments(t, terraform.config.ScratchDir)
		return len(children)+len(providers) == 0
	}, time.Minute, 10*time.Millisecond)
}

func TestErroredStateIsPushed(t *testing.T) {
	eachBinary(t, func(t *testing.T, terraform *Terraform) {
		server := newStateServer(t)
		run := open(t, terraform, RunOptions{Files: workspace(server.backend(), oneResource("one"))})
		plan, err := run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		server.failNextWrites(1)
		err = run.Apply(t.Context(), plan.Bytes)
		var failure *Error
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, Transient, failure.Class, failure.Message)
		assert.Nil(t, failure.ErroredState)
		assert.Contains(t, failure.Message, "has been pushed back")

		assert.False(t, server.locked())
		plan, err = run.Plan(t.Context(), PlanOptions{})
		require.NoError(t, err)
		assert.False(t, plan.HasChanges, "nothing was lost")
	})
}

func TestErroredStateIsReturnedWhileBackendFails(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	run := open(t, newTerraform(t, Config{}), RunOptions{Files: workspace(server.backend(), oneResource("one"))})
	plan, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)
	server.failNextWrites(1000)
	err = run.Apply(t.Context(), plan.Bytes)
	var failure *Error
	require.ErrorAs(t, err, &failure)
	require.NotEmpty(t, failure.ErroredState)
	assert.Contains(t, failure.Message, "pushing it back failed")

	server.failNextWrites(0)
	require.NoError(t, run.Push(t.Context(), failure.ErroredState))
	assert.Len(t, resources(t, run), 1)
}

func TestMissingBinaryIsReported(t *testing.T) {
	t.Parallel()
	terraform := newTerraform(t, Config{Binary: Binary{Path: filepath.Join(t.TempDir(), "gone")}})
	_, err := terraform.Open(t.Context(), RunOptions{})
	require.ErrorContains(t, err, "no such file")
	var failure *Error
	require.ErrorAs(t, err, &failure)
}
