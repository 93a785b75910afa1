package lifecycle

import (
	"fmt"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/schedule"
)

// TestUpgradeChecksAreSpread proves that the checks after an upgrade are spread over the check interval. The position of an object within
// the interval does not depend on when the manager started.
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

// outdated sets the applied digest of the target to a digest of another version. It returns the time until the check of the target.
func outdated(f *fixture) (check time.Duration) {
	f.addResource(machineAddress, "vm-1", false)
	f.target.Remembered = Remembered{Applied: Applied{WorkspaceDigest: "digest-of-another-version"}, Outdated: true, Current: true}
	return schedule.Jitter(f.target.Key(), f.target.CheckInterval)
}

// TestOutdatedDigestIsCheckedOnce proves that a target whose applied digest has another version is in sync until its check, and that the
// check finds no change.
func TestOutdatedDigestIsCheckedOnce(t *testing.T) {
	f := newFixture(t)
	check := outdated(f)
	require.Greater(t, check, 2*time.Second)
	assert.True(t, f.pipeline.Idle(f.target))
	assert.Equal(t, check, f.pipeline.UntilCheck(f.target))
	f.advance(check - time.Second)
	require.Equal(t, InSync, f.step().State)
	assert.True(t, f.pipeline.Idle(f.target))

	f.advance(time.Second)
	assert.False(t, f.pipeline.Idle(f.target))
	require.Equal(t, Running, f.step().State)
	f.wait()
	require.Equal(t, InSync, f.step().State)
	assert.Equal(t, "digest-1", f.status.WorkspaceDigest)
	f.advance(f.target.CheckInterval/2 - time.Second)
	assert.Equal(t, InSync, f.step().State, "the next check is due after the usual interval")
	assert.NotContains(t, f.String(), "apply")
}

// TestOutdatedDigestIsCheckedWithoutAnInterval proves that a target without a check interval is also checked once after an upgrade.
func TestOutdatedDigestIsCheckedWithoutAnInterval(t *testing.T) {
	f := newFixture(t)
	f.target.CheckInterval = 0
	outdated(f)
	require.Equal(t, InSync, f.step().State)
	f.advance(defaultSpread)
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, "digest-1", f.status.WorkspaceDigest)
	assert.Zero(t, f.pipeline.UntilCheck(f.target))
}

// TestOutdatedDigestWithDriftIsRepaired proves that the check after an upgrade detects drift and repairs it.
func TestOutdatedDigestWithDriftIsRepaired(t *testing.T) {
	f := newFixture(t)
	check := outdated(f)
	require.Equal(t, InSync, f.step().State)
	f.plan = &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{{Address: machineAddress, Change: &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionDelete}}}}}
	f.advance(check)
	result := f.settle()
	assert.Equal(t, Drifted, result.State)
	assert.Equal(t, plan.CauseDrift, result.Plan.Cause)
	f.advance(f.target.CheckInterval)
	assert.Equal(t, InSync, f.settle().State)
}

// TestOutdatedDigestWithChangedSpecIsPlannedAtOnce proves that a spec change that was made before an upgrade of CAPNT is planned at
// once, and does not wait for the scheduled check of the outdated digest.
func TestOutdatedDigestWithChangedSpecIsPlannedAtOnce(t *testing.T) {
	f := newFixture(t)
	outdated(f)
	f.target.Remembered.Current = false
	assert.False(t, f.pipeline.Idle(f.target))
	assert.Equal(t, Running, f.step().State)
	f.wait()
	assert.Equal(t, InSync, f.settle().State)
}

// TestOutdatedDigestIsCheckedAgainAfterFailure proves that a failed check is retried until it succeeds.
func TestOutdatedDigestIsCheckedAgainAfterFailure(t *testing.T) {
	f := newFixture(t)
	check := outdated(f)
	require.Equal(t, InSync, f.step().State)
	f.fail("plan", errPrism)
	f.advance(check)
	require.Equal(t, Failed, f.settle().State)
	f.advance(backoffMax)
	assert.Equal(t, InSync, f.settle().State)
	assert.Equal(t, "digest-1", f.status.WorkspaceDigest)
}

// inSyncWith returns a fixture whose last plan found no changes for infrastructure with a digest.
func inSyncWith(t *testing.T, digest string) *fixture {
	t.Helper()
	f := newFixture(t)
	f.addResource(machineAddress, "vm-1", false)
	f.observe = func(string) (Observation, error) { return Observation{Found: true, Digest: digest}, nil }
	require.Equal(t, InSync, f.settle().State)
	require.Equal(t, digest, f.status.InfrastructureDigest)
	f.target.Observation = &Observation{Found: true, Digest: digest}
	return f
}

func TestUnchangedInfrastructureIsPlannedOnceADay(t *testing.T) {
	f := inSyncWith(t, "seen")
	begin := f.clock.Now()
	for until := f.pipeline.UntilCheck(f.target); until > f.target.CheckInterval; until = f.pipeline.UntilCheck(f.target) {
		f.advance(f.target.CheckInterval)
		require.True(t, f.pipeline.Idle(f.target))
	}
	f.advance(f.pipeline.UntilCheck(f.target))
	require.LessOrEqual(t, f.clock.Now().Sub(begin), fullCheckInterval)
	assert.Equal(t, schedule.Next(f.target.Key(), begin, fullCheckInterval), f.clock.Now(), "each target has a time of day of its own")
	assert.False(t, f.pipeline.Idle(f.target))
	require.Equal(t, InSync, f.settle().State)
	assert.Equal(t, fullCheckInterval, f.pipeline.UntilCheck(f.target), "the time of day stays the same")
}

func TestChangedInfrastructureIsPlannedAfterTheCheckInterval(t *testing.T) {
	for name, observation := range map[string]*Observation{
		"changed": {Found: true, Digest: "other"}, "cannot be compared": {Found: true}, "not observed": nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := inSyncWith(t, "seen")
			f.target.Observation = observation
			f.advance(f.target.CheckInterval/2 - time.Second)
			assert.True(t, f.pipeline.Idle(f.target))
			f.advance(f.target.CheckInterval/2 + time.Second)
			assert.Equal(t, Running, f.step().State)
			f.wait()
		})
	}
}

// TestRestartCausesNoCheck proves that the time and the digest of the last plan survive a restart.
func TestRestartCausesNoCheck(t *testing.T) {
	f := inSyncWith(t, "seen")
	f.remember()
	f.target.Remembered.Current = true
	f.restart()
	f.advance(f.target.CheckInterval)
	assert.True(t, f.pipeline.Idle(f.target))
	f.target.Observation = nil
	assert.False(t, f.pipeline.Idle(f.target))
}

// TestInfrastructureIsPlannedAgainAfterAnApply proves that an apply leaves no digest: the next check is a plan.
func TestInfrastructureIsPlannedAgainAfterAnApply(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, InSync, f.settle().State)
	assert.Contains(t, f.String(), "apply")
	assert.Empty(t, f.status.InfrastructureDigest)
}

// TestFullChecksAreSpread proves that the daily plans of targets that were created at the same time are spread over the day.
func TestFullChecksAreSpread(t *testing.T) {
	created := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	perHour := map[time.Duration]int{}
	for i := range 2400 {
		key := fmt.Sprintf("NutanixMachine/default/md-0-%d/uid-%d", i, i)
		at := schedule.Next(key, created, fullCheckInterval)
		require.True(t, at.After(created))
		require.Equal(t, at.Add(fullCheckInterval), schedule.Next(key, at, fullCheckInterval))
		perHour[at.Sub(created).Truncate(time.Hour)]++
	}
	for hour := range 24 {
		assert.InDelta(t, 100, perHour[time.Duration(hour)*time.Hour], 40, "hour %d", hour)
	}
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
		"drift check due, too":     {Observed{Current: true, DriftCheck: now, UpgradeCheck: now.Add(time.Second)}, InSync},
		"check done, nothing done": {Observed{Current: true}, NoPlan},
	} {
		t.Run(name, func(t *testing.T) {
			test.observed.Now, test.observed.Rendered, test.observed.Applied = now, "v2:new", "new"
			assert.Equal(t, test.want, Determine(test.observed))
		})
	}
}
