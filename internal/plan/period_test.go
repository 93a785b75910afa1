package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func at(t *testing.T, value string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, value)
	require.NoError(t, err)
	return parsed
}

func recurring(schedule, zone string, duration time.Duration) infrav1.ApprovalPeriod {
	return infrav1.ApprovalPeriod{Name: "p", Schedule: schedule, TimeZone: zone, Duration: &metav1.Duration{Duration: duration}}
}

// TestOccurrence compares periods with the ends and begins that a calendar shows. In 2026 daylight saving time begins in Berlin on 29 March at
// 01:00 UTC and ends on 25 October at 01:00 UTC. In New York it begins on 8 March at 07:00 UTC.
func TestOccurrence(t *testing.T) {
	weekend := recurring("0 18 * * 5", "Europe/Berlin", 62*time.Hour) // until Monday 08:00
	gap := recurring("30 2 * * *", "Europe/Berlin", time.Hour)
	for name, tc := range map[string]struct {
		period   infrav1.ApprovalPeriod
		now      string
		active   bool
		boundary string
	}{
		"before the weekend":         {weekend, "2026-12-04T16:59:59Z", false, "2026-12-04T18:00:00+01:00"},
		"begin of the weekend":       {weekend, "2026-12-04T17:00:00Z", true, "2026-12-07T08:00:00+01:00"},
		"end of the weekend":         {weekend, "2026-12-07T06:59:59Z", true, "2026-12-07T08:00:00+01:00"},
		"after the weekend":          {weekend, "2026-12-07T07:00:00Z", false, "2026-12-11T18:00:00+01:00"},
		"weekend of the begin":       {weekend, "2026-03-28T12:00:00Z", true, "2026-03-30T08:00:00+02:00"},
		"weekend of the end":         {weekend, "2026-10-24T12:00:00Z", true, "2026-10-26T08:00:00+01:00"},
		"summer":                     {weekend, "2026-07-03T16:00:00Z", true, "2026-07-06T08:00:00+02:00"},
		"other side of the world":    {recurring("0 0 * * 1", "Pacific/Auckland", 24*time.Hour), "2026-12-06T11:00:00Z", true, "2026-12-08T00:00:00+13:00"},
		"New York":                   {recurring("0 9 * * *", "America/New_York", 8*time.Hour), "2026-03-08T12:59:00Z", false, "2026-03-08T09:00:00-04:00"},
		"skipped begin":              {gap, "2026-03-29T00:59:59Z", false, "2026-03-29T03:00:00+02:00"},
		"skipped begin has begun":    {gap, "2026-03-29T01:00:00Z", true, "2026-03-29T03:30:00+02:00"},
		"skipped begin has ended":    {gap, "2026-03-29T01:30:00Z", false, "2026-03-30T02:30:00+02:00"},
		"repeated begin":             {gap, "2026-10-25T00:30:00Z", true, "2026-10-25T03:30:00+01:00"},
		"before a repeated begin":    {gap, "2026-10-25T00:29:59Z", false, "2026-10-25T02:30:00+02:00"},
		"second of the same times":   {gap, "2026-10-25T01:30:00Z", true, "2026-10-25T03:30:00+01:00"},
		"repeated begin in the west": {recurring("30 1 * * *", "America/New_York", time.Hour), "2026-11-01T05:29:59Z", false, "2026-11-01T01:30:00-04:00"},
		"skipped begin in the west":  {recurring("30 2 * * *", "America/New_York", time.Hour), "2026-03-08T06:59:59Z", false, "2026-03-08T03:00:00-04:00"},
		"skipped end": {
			recurring("30 1 * * *", "Europe/Berlin", time.Hour), "2026-03-29T00:45:00Z", true, "2026-03-29T03:00:00+02:00",
		},
		"UTC by default":             {recurring("0 12 * * *", "", time.Hour), "2026-07-03T12:30:00Z", true, "2026-07-03T13:00:00Z"},
		"overlaps":                   {recurring("*/5 * * * *", "", time.Hour), "2026-07-03T12:31:00Z", true, "2026-07-03T13:30:00Z"},
		"longer than a year's pause": {recurring("0 0 20 12 *", "", 14*24*time.Hour), "2027-01-02T23:59:59Z", true, "2027-01-03T00:00:00Z"},
		"leap day":                   {recurring("0 0 29 2 *", "", time.Hour), "2026-01-01T00:00:00Z", false, "2028-02-29T00:00:00Z"},
		"skipped day":                {recurring("0 12 30 12 *", "Pacific/Apia", 24*time.Hour), "2011-12-30T10:00:00Z", true, "2011-12-31T12:00:00+14:00"},
		"once, before": {
			infrav1.ApprovalPeriod{Start: newTime(at(t, "2026-12-24T00:00:00Z")), End: newTime(at(t, "2026-12-27T00:00:00Z"))},
			"2026-12-23T23:59:59Z", false, "2026-12-24T00:00:00Z",
		},
		"once": {
			infrav1.ApprovalPeriod{Start: newTime(at(t, "2026-12-24T00:00:00Z")), End: newTime(at(t, "2026-12-27T00:00:00Z"))},
			"2026-12-24T00:00:00Z", true, "2026-12-27T00:00:00Z",
		},
		"once, after": {
			infrav1.ApprovalPeriod{Start: newTime(at(t, "2026-12-24T00:00:00Z")), End: newTime(at(t, "2026-12-27T00:00:00Z"))},
			"2026-12-27T00:00:00Z", false, "0001-01-01T00:00:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			active, boundary, err := occurrence(tc.period, at(t, tc.now))
			require.NoError(t, err)
			assert.Equal(t, tc.active, active)
			assert.Equal(t, at(t, tc.boundary).UTC(), boundary.UTC())
		})
	}
}

func newTime(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }

// TestOccurrenceMatchesEveryMinute compares occurrence with a list of all begins, minute by minute, over both changes of a year.
func TestOccurrenceMatchesEveryMinute(t *testing.T) {
	location, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	period := recurring("15 1,2,3 * * *", "Europe/Berlin", 20*time.Minute)
	for _, day := range []string{"2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"} {
		begin := at(t, day)
		for now := begin; now.Before(begin.Add(24 * time.Hour)); now = now.Add(time.Minute) {
			active, boundary, err := occurrence(period, now)
			require.NoError(t, err)
			require.True(t, boundary.After(now), now)
			shown := now.In(location)
			inside := shown.Hour() >= 1 && shown.Hour() <= 3 && shown.Minute() >= 15 && shown.Minute() < 35
			if day[5:7] == "03" && shown.Hour() == 3 || day[5:7] == "10" && shown.Hour() == 2 {
				continue // the changes, which TestOccurrence covers
			}
			require.Equal(t, inside, active, now)
		}
	}
}

func TestUnreadablePeriodsAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		period infrav1.ApprovalPeriod
		want   string
	}{
		"nothing":  {infrav1.ApprovalPeriod{Name: "p"}, "neither schedule"},
		"schedule": {recurring("* *", "", time.Hour), "reading schedule of period p"},
		"zone":     {recurring("0 0 * * *", "Europe/Nowhere", time.Hour), "reading time zone of period p"},
		"duration": {infrav1.ApprovalPeriod{Name: "p", Schedule: "0 0 * * *"}, "reading duration of period p"},
	} {
		_, _, err := occurrence(tc.period, time.Now())
		assert.ErrorContains(t, err, tc.want, name)
	}
}
