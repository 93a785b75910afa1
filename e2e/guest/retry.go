package guest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// permanentError is an error after which retry does not call attempt again.
type permanentError struct{ error }

func permanent(err error) error { return permanentError{err} }

func (e permanentError) Unwrap() error { return e.error }

// retry calls attempt until it succeeds, it returns a permanentError, or ctx is cancelled. Each call may take
// etcdCallTimeout.
func retry(ctx context.Context, what string, attempt func(ctx context.Context) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last error
	for {
		select {
		case <-ctx.Done():
			if last == nil {
				last = ctx.Err()
			}
			return fmt.Errorf("%s: giving up (%w): %w", what, context.Cause(ctx), last)
		case <-timer.C:
		}
		call, cancel := context.WithTimeout(ctx, etcdCallTimeout)
		err := attempt(call)
		cancel()
		if err == nil {
			return nil
		}
		if stop := (permanentError{}); errors.As(err, &stop) {
			return fmt.Errorf("%s: %w", what, stop.error)
		}
		last = err
		timer.Reset(retryInterval)
	}
}
