package lifecycle

import (
	"fmt"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
)

// After an upgrade the objects of an installation are checked one after the other over the check interval, each at the same
// time whenever the manager starts.
func TestUpgradeChecksAreSpread(t *testing.T) {
	since := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for interval, spread := range map[time.Duration]time.Duration{time.Hour: time.Hour, 0: defaultSpread} {
		perTenth := map[time.Duration]int{}
		for i := range 1000 {
			key := fmt.Sprintf("NutanixMachine/default/md-0-%d/uid-%d", i, i)
			at := upgradeCheck(key, since, interval)
			assert.Equal(t, at, upgradeCheck(key, since, interval))
			assert.Equal(t, at.Add(time.Minute), upgradeCheck(key, since.Add(time.Minute), interval))
			require.False(t, at.Before(since))
			require.True(t, at.Before(since.Add(spread)))
			perTenth[at.Sub(since)/(spread/10)]++
		}
		require.Len(t, perTenth, 10)
		for tenth, count := range perTenth {
			assert.InDelta(t, 100, count, 40, "tenth %d", tenth)
		}
	}
}

// outdated gives the target an applied digest of another version.
func outdated(w *world) (check time.Duration) {
	w.hold(machineAddress, "vm-1", false)
	w.target.Remembered = Remembered{Applied: Applied{WorkspaceDigest: "digest-of-another-version"}, Outdated: true, Current: true}
	return jitter(w.target.Key(), w.target.CheckInterval)
}

// A target whose applied digest has another version counts as in sync until its check, which finds nothing to do.
func TestOutdatedDigestIsCheckedOnce(t *testing.T) {
	w := newWorld(t)
	check := outdated(w)
	require.Greater(t, check, 2*time.Second)
	assert.True(t, w.pipeline.Idle(w.target))
	assert.Equal(t, check, w.pipeline.UntilCheck(w.target))
	w.advance(check - time.Second)
	require.Equal(t, InSync, w.step().State)
	assert.True(t, w.pipeline.Idle(w.target))

	w.advance(time.Second)
	assert.False(t, w.pipeline.Idle(w.target))
	require.Equal(t, Running, w.step().State)
	w.wait()
	require.Equal(t, InSync, w.step().State)
	assert.Equal(t, "digest-1", w.status.WorkspaceDigest)
	w.advance(w.target.CheckInterval - time.Second)
	assert.Equal(t, InSync, w.step().State, "the next check is due after the usual interval")
	assert.NotContains(t, w.String(), "apply")
}

// Objects that are never compared for drift are checked once all the same.
func TestOutdatedDigestIsCheckedWithoutAnInterval(t *testing.T) {
	w := newWorld(t)
	w.target.CheckInterval = 0
	outdated(w)
	require.Equal(t, InSync, w.step().State)
	w.advance(defaultSpread)
	require.Equal(t, InSync, w.settle().State)
	assert.Equal(t, "digest-1", w.status.WorkspaceDigest)
	assert.Zero(t, w.pipeline.UntilCheck(w.target))
}

// The check's plan decides whether anything changes.
func TestOutdatedDigestWithDrift(t *testing.T) {
	w := newWorld(t)
	check := outdated(w)
	require.Equal(t, InSync, w.step().State)
	w.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{{Address: machineAddress, Change: &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionDelete}}}}}
	w.advance(check)
	result := w.settle()
	assert.Equal(t, Drifted, result.State)
	assert.Equal(t, plan.CauseDrift, result.Plan.Cause)
	w.advance(w.target.CheckInterval)
	assert.Equal(t, InSync, w.settle().State)
}

// A spec that was edited before the manager was upgraded is applied at once.
func TestOutdatedDigestWithAChangedSpec(t *testing.T) {
	w := newWorld(t)
	outdated(w)
	w.target.Remembered.Current = false
	assert.False(t, w.pipeline.Idle(w.target))
	assert.Equal(t, Running, w.step().State)
	w.wait()
	assert.Equal(t, InSync, w.settle().State)
}

// A check that fails is retried, and counts as one.
func TestOutdatedDigestWhoseCheckFails(t *testing.T) {
	w := newWorld(t)
	check := outdated(w)
	require.Equal(t, InSync, w.step().State)
	w.fail("plan", errPrism)
	w.advance(check)
	require.Equal(t, Failed, w.settle().State)
	w.advance(backoffMax)
	assert.Equal(t, InSync, w.settle().State)
	assert.Equal(t, "digest-1", w.status.WorkspaceDigest)
}

func TestDetermineWithADigestOfAnotherVersion(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		observed Observed
		want     State
	}{
		"check not due":            {Observed{Current: true, UpgradeCheck: now.Add(time.Second)}, InSync},
		"check due":                {Observed{Current: true, UpgradeCheck: now}, NoPlan},
		"spec edited":              {Observed{UpgradeCheck: now.Add(time.Second)}, NoPlan},
		"last run failed":          {Observed{Current: true, Unfinished: true, UpgradeCheck: now.Add(time.Second)}, NoPlan},
		"drift check due, too":     {Observed{Current: true, CheckInterval: time.Minute, UpgradeCheck: now.Add(time.Second)}, InSync},
		"check done, nothing done": {Observed{Current: true}, NoPlan},
	} {
		t.Run(name, func(t *testing.T) {
			test.observed.Now, test.observed.Rendered, test.observed.Applied = now, "v2:new", "new"
			assert.Equal(t, test.want, Determine(test.observed))
		})
	}
}
