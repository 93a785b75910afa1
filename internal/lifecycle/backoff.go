package lifecycle

import (
	"errors"
	"time"

	"github.com/capnt/capnt/internal/terraform"
)

// Delays before a failed run is retried. The first delay is backoffBase. Each further failure doubles the delay, up to backoffMax, so
// that a run is retried within one minute after the cause of the failure was fixed.
const (
	backoffBase = 5 * time.Second
	backoffMax  = time.Minute
	// backoffSlow is the first delay after a failure that a person has to fix, and the longest delay while the state is locked.
	backoffSlow = 20 * time.Second
)

// backoff returns the delay before a failed run is retried. failures is the number of consecutive failures before this one.
func backoff(err error, failures int) time.Duration {
	delay := backoffBase << min(failures, 10)
	var failed *terraform.Error
	if errors.As(err, &failed) {
		if failed.Class == terraform.LockHeld {
			return min(delay, backoffSlow)
		}
		switch failed.Class.Retry() {
		case terraform.RetryImmediately, terraform.RetryBackoff: // an immediate retry also waits, to prevent a busy loop
		case terraform.RetrySlowly:
			delay = max(delay, backoffSlow)
		case terraform.RetryOnChange:
			delay = backoffMax // a workspace that has changed is planned without this delay
		}
	}
	return min(delay, backoffMax)
}
