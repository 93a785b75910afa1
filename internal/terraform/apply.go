package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// Limits for pushing a state that an apply could not write. The waits between the attempts double. The context of the apply
// may have ended already, so pushing has its own timeout.
const (
	pushAttempts = 3
	pushWait     = time.Second
	pushTimeout  = time.Minute
)

// applyOptions contains only the saved plan, because Terraform refuses variables together with a plan.
func applyOptions(path string) []tfexec.ApplyOption {
	return []tfexec.ApplyOption{tfexec.DirOrPlan(path)}
}

// Apply applies the saved plan. After a failure the state may contain a part of it. If the backend did not accept the state,
// Apply pushes it again. If that fails, too, the state is in Error.ErroredState.
func (r *Run) Apply(ctx context.Context, plan []byte) error {
	path := r.dir.plan()
	// A file that cannot be removed here is removed by Close.
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
		r.pushErroredState(ctx, failure, begin)
	}
	return err
}

// pushErroredState pushes the errored.tfstate that a failed apply left in the directory.
func (r *Run) pushErroredState(ctx context.Context, failure *Error, begin time.Time) {
	state, err := os.ReadFile(r.dir.errored())
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		failure.Message += "; the state was not saved and errored.tfstate could not be read: " + err.Error()
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTimeout)
	defer cancel()
	wait := pushWait
	for attempt := 1; ; attempt++ {
		if err = r.pushAndUnlock(ctx, state, begin); err == nil {
			failure.Message += "; the state was not saved at first and has been pushed back"
			return
		}
		if attempt == pushAttempts {
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

// pushAndUnlock pushes a state. If the apply could not write the state, it often could not release the lock either. A lock that was
// acquired on this host for an apply after begin belongs to this apply. pushAndUnlock removes it after the state is stored.
func (r *Run) pushAndUnlock(ctx context.Context, state []byte, begin time.Time) error {
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
