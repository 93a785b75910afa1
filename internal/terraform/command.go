package terraform

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// command runs one Terraform command. It measures the duration, and returns a failure as an *Error.
//
// On Linux, terraform-exec starts Terraform so that the kernel kills it when the thread that started it ends. The Go runtime ends a
// thread when a goroutine that is locked to the thread returns. Without a lock, another goroutine could lock itself to the thread that
// started Terraform and end the thread. Therefore command locks its own goroutine to the thread until the Terraform command has ended.
func (r *Run) command(ctx context.Context, verb string, do func(context.Context) error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		return errClosed
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r.resetStreams()
	begin := time.Now()
	finished := r.terraform.metrics.started()
	failed := r.failed
	r.failed = true // also if do panics
	err := do(ctx)
	if r.stdout.hasOutput() && completed(ctx, err) {
		err = nil
	}
	var failure *Error
	if err != nil {
		failure = r.failure(ctx, verb, begin, err)
	}
	r.failed = failed || failure != nil
	finished(verb, failure, time.Since(begin))
	if failure != nil {
		return failure
	}
	return nil
}

// completed reports whether a command succeeded although its context ended at the same time. In this case terraform-exec returns an error
// that wraps nil and whose Error method panics. If the context ends while terraform-exec starts the command, it returns the same error
// without waiting for the command. Therefore callers must also check that the command has written output.
func completed(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), err) && errors.Is(err, ctx.Err()) && errors.Unwrap(err) == nil
}

// resetStreams creates new streams for the next command. A command that terraform-exec did not wait for may still write to the old
// streams.
func (r *Run) resetStreams() {
	r.stdout, r.stderr = &stream{}, &stream{keep: true}
	r.cli.SetStdout(r.stdout)
	r.cli.SetStderr(r.stderr)
}

// stream receives the output of a command. It stores the output only if keep is set.
type stream struct {
	keep bool

	mutex   sync.Mutex
	text    bytes.Buffer
	written bool
}

func (s *stream) Write(output []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.written = true
	if s.keep {
		s.text.Write(output)
	}
	return len(output), nil
}

// hasOutput reports whether the command has written any output.
func (s *stream) hasOutput() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.written
}

func (s *stream) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}
