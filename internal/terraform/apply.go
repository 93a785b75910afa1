package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// Limits for pushing a state that an apply could not write. Each wait between two attempts is twice as long as the one before. Pushing
// has its own timeout, because the context of the apply may have ended.
const (
	pushAttempts = 3
	pushWait     = time.Second
	pushTimeout  = time.Minute
)

// applyOptions contains no variables, because Terraform does not accept them together with a saved plan.
func applyOptions(provider *tfexec.ReattachOption, path string) []tfexec.ApplyOption {
	return []tfexec.ApplyOption{provider, tfexec.DirOrPlan(path)}
}

// Apply applies the saved plan. If it fails, the state may contain a part of the changes. If the backend did not accept the new state,
// Apply pushes it again. If pushing fails, too, Error.ErroredState contains the new state.
func (r *Run) Apply(ctx context.Context, plan []byte) error {
	path := r.dir.plan()
	// If the file cannot be removed here, Close removes it.
	defer func() { _ = os.Remove(path) }()
	begin := time.Now()
	err := r.providerCommand(ctx, "apply", func(ctx context.Context, provider *tfexec.ReattachOption) error {
		if err := os.WriteFile(path, plan, 0o600); err != nil {
			return fmt.Errorf("writing the saved plan: %w", err)
		}
		return r.cli.Apply(ctx, applyOptions(provider, path)...)
	})
	var failure *Error
	if errors.As(err, &failure) {
		r.pushErroredState(ctx, failure, begin)
	}
	return err
}

// pushErroredState pushes the state in the file errored.tfstate, which Terraform writes if a failed apply cannot store the state.
func (r *Run) pushErroredState(ctx context.Context, failure *Error, begin time.Time) {
	state, err := os.ReadFile(r.dir.errored())
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		failure.Message += "; the state was not saved and errored.tfstate could not be read: " + err.Error()
		return
	}
	if encrypted(state) {
		failure.Message += "; the state was not saved, and OpenTofu cannot push an encrypted state: the next run looks for what this one has created"
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

// encrypted reports whether OpenTofu has encrypted a state. "tofu state push" cannot read such a file.
func encrypted(state []byte) bool {
	var file struct {
		Data []byte `json:"encrypted_data"`
	}
	return json.Unmarshal(state, &file) == nil && len(file.Data) > 0
}

// pushAndUnlock pushes a state. An apply that could not write the state often could not release the lock either, so the first push may
// find the state locked. If the lock was acquired on this host for an apply after begin, this apply has acquired it. In this case
// pushAndUnlock pushes the state without locking and then removes the lock.
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
