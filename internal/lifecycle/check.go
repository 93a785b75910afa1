package lifecycle

import (
	"cmp"
	"time"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/schedule"
)

// defaultSpread is the period over which the checks after an upgrade are spread if the target has no check interval.
const defaultSpread = 10 * time.Minute

// upgradeCheck returns when to check a target after an upgrade. A check is needed if the target's applied digest has another version than
// the digests that this release computes. since is the time at which this process first observed the target. The checks are spread over
// the check interval, because otherwise an upgrade would plan all objects at once. The position within the interval depends only on key.
func upgradeCheck(key string, since time.Time, interval time.Duration) time.Time {
	return since.Add(schedule.Jitter(key, cmp.Or(interval, defaultSpread)))
}

// fullCheckInterval is the time between two plans of an object that does not change. Each target has a time of day of its own, so that the
// plans of many targets are spread over the day.
const fullCheckInterval = 24 * time.Hour

// nextCheck returns when a plan next compares the infrastructure with the workspace. A zero time means never. While a plan waits that creates
// the infrastructure, nothing exists that could be compared.
func (o Observed) nextCheck() time.Time {
	switch {
	case o.Plan != nil && o.Plan.Cause == plan.CauseCreate:
		return time.Time{}
	case !o.UpgradeCheck.IsZero():
		return o.UpgradeCheck
	case o.Unchanged && !o.DriftCheck.IsZero():
		return o.FullCheck
	default:
		return o.DriftCheck
	}
}

func (o Observed) checkDue() bool {
	next := o.nextCheck()
	return !next.IsZero() && !o.Now.Before(next)
}

// untilCheck returns how long it takes until the next check, at least one second. Zero means that no check is scheduled.
func (o Observed) untilCheck() time.Duration {
	next := o.nextCheck()
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(o.Now), time.Second)
}

// UntilCheck returns how long it takes until the next check of the target. Zero means that no check is scheduled. The target does not
// need a rendered workspace.
func (p *Pipeline) UntilCheck(target Target) time.Duration {
	observed, _ := p.observe(target, target.Key())
	return observed.untilCheck()
}
