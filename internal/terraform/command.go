package terraform

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// command runs one command of the command line, measures it and turns its failure into an *Error.
//
// terraform-exec asks Linux to kill Terraform when the thread that started it ends. Go ends a thread when a goroutine
// that is locked to it returns, and any goroutine may be scheduled on the thread that once started a process: so this
// goroutine keeps its thread for itself until the command is over.
func (r *Run) command(ctx context.Context, verb string, do func(context.Context) error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		return errClosed
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r.stderr.Reset()
	r.heard = false
	begin := time.Now()
	finished := r.terraform.metrics.started()
	err := do(ctx)
	if r.heard && completed(ctx, err) {
		err = nil
	}
	var failure *Error
	if err != nil {
		failure = r.failure(ctx, verb, begin, err)
	}
	finished(verb, failure, time.Since(begin))
	if failure != nil {
		return failure
	}
	return nil
}

// completed recognises a command that ended well while its context ended at the same moment: terraform-exec reports it
// as interrupted, with no error inside (and panics when asked for the text). It reports the same of a command whose context
// ended while it was started, for which it does not wait; of that one nothing was heard.
func completed(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), err) && errors.Is(err, ctx.Err()) && errors.Unwrap(err) == nil
}

// heard notes that a command has written something, which nobody reads here.
type heard struct{ run *Run }

func (h heard) Write(output []byte) (int, error) {
	h.run.heard = true
	return len(output), nil
}
