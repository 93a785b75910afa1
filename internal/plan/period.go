package plan

import (
	"fmt"
	"sort"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// maxOffsetChange is longer than any change of the offset of a time zone. Samoa once skipped a whole day.
const maxOffsetChange = 25 * time.Hour

// occurrence returns the end of the period if the period contains now. Otherwise active is false, and boundary is the begin of the next
// occurrence, or zero if there is none.
func occurrence(period infrav1.ApprovalPeriod, now time.Time) (active bool, boundary time.Time, err error) {
	if period.Schedule != "" {
		return recurrence(period, now)
	}
	switch {
	case period.Start == nil || period.End == nil:
		return false, time.Time{}, fmt.Errorf("reading period %s: it has neither schedule and duration nor start and end", period.Name)
	case now.Before(period.Start.Time):
		return false, period.Start.Time, nil
	case now.Before(period.End.Time):
		return true, period.End.Time, nil
	default:
		return false, time.Time{}, nil
	}
}

// recurrence implements occurrence for a recurring period. All times are calculated as clock times, which have no offset: they are times in
// UTC that show what a clock in the time zone shows. Therefore neither the schedule nor the duration depends on daylight saving time.
func recurrence(period infrav1.ApprovalPeriod, now time.Time) (active bool, boundary time.Time, err error) {
	schedule, err := infrav1.ParseSchedule(period.Schedule)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("reading schedule of period %s: %q %w", period.Name, period.Schedule, err)
	}
	location, err := infrav1.ParseTimeZone(period.TimeZone)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("reading time zone of period %s: %q %w", period.Name, period.TimeZone, err)
	}
	if period.Duration == nil || period.Duration.Duration <= 0 {
		return false, time.Time{}, fmt.Errorf("reading duration of period %s: it is not set", period.Name)
	}
	// The occurrences after earliest are those that can contain now, and later ones. first is the first of them that begins after now.
	length := period.Duration.Duration
	earliest := wallClock(now, location).Add(-length - maxOffsetChange)
	seconds := int((length + 2*maxOffsetChange) / time.Second)
	future := sort.Search(seconds, func(i int) bool {
		next := schedule.Next(earliest.Add(time.Duration(i) * time.Second))
		return next.IsZero() || instant(next, location).After(now)
	})
	if future > 0 {
		last := schedule.Next(earliest.Add(time.Duration(future-1) * time.Second))
		if end := instant(last.Add(length), location); end.After(now) {
			return true, end, nil
		}
	}
	if next := schedule.Next(earliest.Add(time.Duration(future) * time.Second)); !next.IsZero() {
		return false, instant(next, location), nil
	}
	return false, time.Time{}, nil
}

// wallClock returns what a clock at the location shows at t, as a time in UTC.
func wallClock(t time.Time, location *time.Location) time.Time {
	t = t.In(location)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant returns the time at which a clock at the location first shows the clock time. If daylight saving time skips the clock time, it
// returns the time of the change.
func instant(clockTime time.Time, location *time.Location) time.Time {
	t := time.Date(clockTime.Year(), clockTime.Month(), clockTime.Day(), clockTime.Hour(), clockTime.Minute(), clockTime.Second(),
		clockTime.Nanosecond(), location)
	begin, end := t.ZoneBounds()
	switch shown := wallClock(t, location); {
	case shown.After(clockTime):
		return begin
	case shown.Before(clockTime):
		return end
	case begin.IsZero():
		return t
	}
	_, offset := t.Zone()
	_, before := begin.Add(-time.Nanosecond).Zone()
	if first := t.Add(time.Duration(offset-before) * time.Second); before > offset && first.Before(begin) {
		return first
	}
	return t
}
