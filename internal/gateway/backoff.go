package gateway

import (
	"context"
	"math/rand/v2"
	"time"
)

// Retry limits the number of attempts, the total time of retries and the length of each wait.
type Retry struct {
	// Attempts is the maximum number of attempts, including the first one. 0 means no maximum.
	Attempts int
	// Total limits the time between the first attempt and the start of the last one.
	Total time.Duration
	// Base is the wait after the first attempt. Each further attempt doubles the wait, up to Max. Half of each wait is random.
	Base, Max time.Duration
}

var (
	// readRetry retries a read for at least one minute. If Prism Central is unavailable for longer, a new run is better than another retry.
	// Total exceeds one minute by more than Max, because no attempt starts after Total has passed.
	readRetry = Retry{Total: 75 * time.Second, Base: 250 * time.Millisecond, Max: 10 * time.Second}
	// recordRetry is short, because the API server is close and a child process waits for the response.
	recordRetry = Retry{Attempts: 6, Total: 15 * time.Second, Base: 100 * time.Millisecond, Max: 5 * time.Second}
)

func (r Retry) withDefaults(defaults Retry) Retry {
	if r.Attempts == 0 {
		r.Attempts = defaults.Attempts
	}
	if r.Total == 0 {
		r.Total = defaults.Total
	}
	if r.Base == 0 {
		r.Base = defaults.Base
	}
	if r.Max == 0 {
		r.Max = defaults.Max
	}
	return r
}

// next returns the wait after an attempt, and whether another attempt is allowed. attempt is 1 for the first attempt. elapsed is the time
// since the first attempt started. retryAfter is the wait that the response requests, or zero.
func (r Retry) next(attempt int, elapsed, retryAfter time.Duration) (time.Duration, bool) {
	wait := max(r.delay(attempt), retryAfter)
	return wait, !r.last(attempt) && elapsed+wait <= r.Total
}

// last reports whether Attempts allows no further attempt after attempt.
func (r Retry) last(attempt int) bool { return r.Attempts > 0 && attempt >= r.Attempts }

// delay returns the wait after attempt.
func (r Retry) delay(attempt int) time.Duration {
	wait := r.Base
	for range attempt - 1 {
		if wait >= r.Max {
			break
		}
		wait *= 2
	}
	wait = min(wait, r.Max)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter is not a secret
}

// sleep waits for the duration wait. If ctx ends earlier, it returns the error of ctx.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
