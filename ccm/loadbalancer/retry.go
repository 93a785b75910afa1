package loadbalancer

import (
	"errors"
	"time"

	"k8s.io/cloud-provider/api"

	"github.com/capnt/capnt/ccm/nutanix"
)

// staleDelay is how soon to read again what was changed meanwhile.
const staleDelay = 2 * time.Second

// delayed is an error with a fixed time to the next try, in place of the framework's exponential back-off (5 s to 300 s).
type delayed struct {
	cause error
	retry *api.RetryError
}

func (d *delayed) Error() string   { return d.cause.Error() }
func (d *delayed) Unwrap() []error { return []error{d.cause, d.retry} }

// pace says when a failed attempt is to be repeated, where that is known. A Refusal that only a change of the Service can end
// waits for that change, or for the next repair.
func pace(err error, repairPeriod time.Duration) error {
	if after := delayOf(err, repairPeriod); after > 0 {
		return &delayed{err, api.NewRetryError(err.Error(), after)}
	}
	return err
}

func delayOf(err error, repairPeriod time.Duration) time.Duration {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		if refusal.Retry {
			return 0
		}
		return repairPeriod
	}
	var prism *nutanix.Error
	if !errors.As(err, &prism) {
		return 0
	}
	if prism.Kind == nutanix.Stale {
		return max(prism.RetryAfter, staleDelay)
	}
	return prism.RetryAfter
}
