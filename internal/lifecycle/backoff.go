package lifecycle

import (
	"errors"
	"time"

	"github.com/capnt/capnt/internal/terraform"
)

// A failed run is retried after backoffBase. The delay doubles up to backoffMax, so that a run is retried within a minute after
// the cause of its failure has disappeared.
const (
	backoffBase = 5 * time.Second
	backoffMax  = time.Minute
	// backoffSlow is the first delay after a fault that a person has to correct.
	backoffSlow = 20 * time.Second
)

// backoff returns the delay before a failed run is retried. failures is the number of consecutive failures before this one.
func backoff(err error, failures int) time.Duration {
	delay := backoffBase << min(failures, 10)
	var failed *terraform.Error
	if errors.As(err, &failed) {
		switch failed.Class.Retry() {
		case terraform.RetryImmediately, terraform.RetryBackoff: // an immediate retry waits, too, to prevent a busy loop
		case terraform.RetrySlowly:
			delay = max(delay, backoffSlow)
		case terraform.RetryOnChange:
			delay = backoffMax // a changed workspace is planned at once
		}
	}
	return min(delay, backoffMax)
}
