package lifecycle

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// defaultSpread is the time over which the checks of UpgradeCheck are spread where nothing is checked at an interval.
const defaultSpread = 10 * time.Minute

// upgradeCheck returns when a target is checked whose applied digest has another version than this release computes. since is
// when this process observed the target first. The checks of all targets are spread over the check interval, each at a time
// that depends on its key alone, because an upgrade would otherwise plan all objects of an installation at once.
func upgradeCheck(key string, since time.Time, interval time.Duration) time.Time {
	return since.Add(jitter(key, cmp.Or(interval, defaultSpread)))
}

// jitter returns a duration between zero and spread that depends on the key alone.
func jitter(key string, spread time.Duration) time.Duration {
	sum := sha256.Sum256([]byte(key))
	fraction := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	return time.Duration(fraction * float64(spread))
}

// nextCheck returns when the infrastructure is compared with the workspace next; zero means never.
func (o Observed) nextCheck() time.Time {
	switch {
	case !o.UpgradeCheck.IsZero():
		return o.UpgradeCheck
	case o.CheckInterval == 0:
		return time.Time{}
	default:
		return o.Checked.Add(o.CheckInterval)
	}
}

func (o Observed) checkDue() bool {
	next := o.nextCheck()
	return !next.IsZero() && !o.Now.Before(next)
}

// untilCheck returns how long it is until the next check, at least a second; zero means that there is none.
func (o Observed) untilCheck() time.Duration {
	next := o.nextCheck()
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(o.Now), time.Second)
}

// UntilCheck returns how long it is until the target is checked next; zero means that it is not. It needs no rendered
// workspace.
func (p *Pipeline) UntilCheck(target Target) time.Duration {
	observed, _ := p.observe(target, target.Key())
	return observed.untilCheck()
}
