package terraform

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
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

	r.listen()
	begin := time.Now()
	finished := r.terraform.metrics.started()
	err := do(ctx)
	if r.stdout.heard() && completed(ctx, err) {
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

// listen gives the next command streams of its own: one that nobody waits for may still write to those it had.
func (r *Run) listen() {
	r.stdout, r.stderr = &stream{}, &stream{keep: true}
	r.cli.SetStdout(r.stdout)
	r.cli.SetStderr(r.stderr)
}

// stream is what a command writes, of which the text is kept on demand.
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

// heard reports whether anything was written.
func (s *stream) heard() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.written
}

func (s *stream) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}
