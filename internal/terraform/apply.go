package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// A state that could not be written is pushed this often, with growing waits in between; the context of the apply may
// be over by then, so that pushing has its own time.
const (
	rescueAttempts = 3
	rescueWait     = time.Second
	rescueTimeout  = time.Minute
)

// applyOptions names the saved plan alone: what was planned decides, and Terraform refuses variables with a plan.
func applyOptions(path string) []tfexec.ApplyOption {
	return []tfexec.ApplyOption{tfexec.DirOrPlan(path)}
}

// Apply applies exactly the saved plan. After a failure the state may hold a part of it. A state that the backend did
// not take is pushed again; if that fails too it is in Error.ErroredState.
func (r *Run) Apply(ctx context.Context, plan []byte) error {
	path := r.dir.plan()
	// The run's directory goes with Close at the latest.
	defer func() { _ = os.Remove(path) }()
	begin := time.Now()
	err := r.command(ctx, "apply", func(ctx context.Context) error {
		if err := os.WriteFile(path, plan, 0o600); err != nil {
			return fmt.Errorf("writing the saved plan: %w", err)
		}
		return r.cli.Apply(ctx, applyOptions(path)...)
	})
	var failure *Error
	if errors.As(err, &failure) {
		r.rescue(ctx, failure, begin)
	}
	return err
}

// rescue pushes the state that a failed apply left in the directory.
func (r *Run) rescue(ctx context.Context, failure *Error, begin time.Time) {
	state, err := os.ReadFile(r.dir.errored())
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		failure.Message += "; the state was not saved and errored.tfstate could not be read: " + err.Error()
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rescueTimeout)
	defer cancel()
	wait := rescueWait
	for attempt := 1; ; attempt++ {
		if err = r.pushBack(ctx, state, begin); err == nil {
			failure.Message += "; the state was not saved at first and has been pushed back"
			return
		}
		if attempt == rescueAttempts {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait *= 2
	}
	failure.ErroredState = state
	failure.Message += "; the state was not saved and pushing it back failed: " + err.Error()
}

// pushBack pushes a state. When writing failed, releasing the lock often failed too: a lock that was taken from this
// host for an apply after ours began is ours, and is broken once the state is safe.
func (r *Run) pushBack(ctx context.Context, state []byte, begin time.Time) error {
	err := r.push(ctx, state, true)
	var failure *Error
	if !errors.As(err, &failure) || failure.Lock == nil || !failure.Lock.ownApply(begin) {
		return err
	}
	if err := r.push(ctx, state, false); err != nil {
		return err
	}
	return r.Unlock(ctx, failure.Lock.ID)
}
