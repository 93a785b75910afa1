package plan

import (
	"fmt"
	"strings"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// pause is a time in which no plan may be applied.
type pause struct {
	message string
	// until is zero if the pause does not end before the rules change.
	until time.Time
}

// Closed returns a message that says which freezes or windows forbid an apply at now, and the earliest time at which all of them can permit
// it. The message is empty if plans may be applied. The time is zero if only a change of the rules can permit it. deleting says that the
// target is being deleted: a freeze can exempt its destroy.
func (r Rules) Closed(now time.Time, deleting bool) (string, time.Time) {
	var pauses []pause
	for _, source := range r.sources {
		for _, freeze := range source.approval.Freezes {
			if found := source.frozen(freeze, now); found != nil && (!deleting || !freeze.ExemptDeletions) {
				pauses = append(pauses, *found)
			}
		}
		if found := source.closed(now); found != nil {
			pauses = append(pauses, *found)
		}
	}
	return join(pauses)
}

// frozen returns the pause that a freeze causes at now, or nil. A freeze that cannot be read lasts until it is corrected.
func (s source) frozen(freeze infrav1.ApprovalFreeze, now time.Time) *pause {
	active, end, err := occurrence(freeze.ApprovalPeriod, now)
	switch {
	case err != nil:
		return &pause{message: fmt.Sprintf("freeze %q %s cannot be evaluated: %v", freeze.Name, s.owner, err)}
	case !active:
		return nil
	}
	message := fmt.Sprintf("freeze %q %s lasts until %s", freeze.Name, s.owner, written(end, freeze.TimeZone))
	if freeze.By != "" {
		message += ", ordered by " + freeze.By
	}
	if freeze.Reason != "" {
		message += ": " + freeze.Reason
	}
	return &pause{message: message, until: end}
}

// closed returns the pause in which no window is open at the time now. It returns nil if a window is open or if there are no windows. A
// window with an invalid schedule or time zone is never open.
func (s source) closed(now time.Time) *pause {
	if len(s.approval.Windows) == 0 {
		return nil
	}
	var next time.Time
	var name, zone string
	var problems []string
	for _, window := range s.approval.Windows {
		active, begin, err := occurrence(window.ApprovalPeriod, now)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("window %q %s cannot be evaluated: %v", window.Name, s.owner, err))
		case active:
			return nil
		case !begin.IsZero() && (next.IsZero() || begin.Before(next)):
			next, name, zone = begin, window.Name, window.TimeZone
		}
	}
	message := fmt.Sprintf("no window %s opens any more", s.owner)
	if !next.IsZero() {
		message = fmt.Sprintf("window %q %s opens at %s", name, s.owner, written(next, zone))
	}
	return &pause{message: strings.Join(append([]string{message}, problems...), "; "), until: next}
}

// join returns one message for pauses that exist at the same time, and the end of the last of them.
func join(pauses []pause) (string, time.Time) {
	var messages []string
	var until time.Time
	endless := false
	for _, pause := range pauses {
		messages = append(messages, pause.message)
		endless = endless || pause.until.IsZero()
		if pause.until.After(until) {
			until = pause.until
		}
	}
	if endless {
		until = time.Time{}
	}
	return strings.Join(messages, "; "), until
}

// written returns a time in the time zone of a period, in the format of RFC 3339.
func written(t time.Time, zone string) string {
	location, err := infrav1.ParseTimeZone(zone)
	if err != nil {
		location = time.UTC
	}
	return t.In(location).Format(time.RFC3339)
}
