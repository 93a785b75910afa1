package lifecycle

import (
	"errors"
	"time"

	"github.com/capnt/capnt/internal/terraform"
)

// Retries of failed runs start after backoffBase. The delay doubles up to backoffMax, so that a run is retried within a
// minute of the end of a fault.
const (
	backoffBase = 5 * time.Second
	backoffMax  = time.Minute
	// backoffSlow is the first delay after a fault that a person has to correct.
	backoffSlow = 20 * time.Second
)

// backoff returns the delay before a failed run is retried. failures is how many runs had failed in a row before.
func backoff(err error, failures int) time.Duration {
	delay := backoffBase << min(failures, 10)
	var failed *terraform.Error
	if errors.As(err, &failed) {
		switch failed.Class.Retry() {
		case terraform.RetryImmediately, terraform.RetryBackoff: // an immediate retry waits, too, so that none loops
		case terraform.RetrySlowly:
			delay = max(delay, backoffSlow)
		case terraform.RetryOnChange:
			delay = backoffMax // a change of the workspace is planned at once
		}
	}
	return min(delay, backoffMax)
}
