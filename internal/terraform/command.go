package terraform

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// command runs one Terraform command, measures it and returns its failure as an *Error.
//
// terraform-exec makes Linux kill Terraform when the thread that started it ends. Go ends a thread when a goroutine that is
// locked to it returns, and any goroutine can be scheduled on the thread that started a process. Therefore the goroutine of
// command is locked to its thread until the command ends.
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
	err := do(ctx)
	if r.stdout.hasOutput() && completed(ctx, err) {
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

// completed reports whether a command succeeded although its context ended at the same moment. terraform-exec reports such a
// command as interrupted, with an error that wraps nil and whose Error method panics. If the context ended while the command was
// started, terraform-exec returns the same error without waiting for the command. Therefore callers check that the command wrote
// something.
func completed(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), err) && errors.Is(err, ctx.Err()) && errors.Unwrap(err) == nil
}

// resetStreams creates new streams for the next command, because an earlier command that was not awaited may still write to its
// own.
func (r *Run) resetStreams() {
	r.stdout, r.stderr = &stream{}, &stream{keep: true}
	r.cli.SetStdout(r.stdout)
	r.cli.SetStderr(r.stderr)
}

// stream is an output of a command. It stores the output if keep is set.
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

// hasOutput reports whether anything was written.
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
