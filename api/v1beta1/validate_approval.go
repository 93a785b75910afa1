package v1beta1

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// DefaultApprovalMaxAge is how long a plan waits if spec.terraform.approval.maxAge is not set.
	DefaultApprovalMaxAge = 24 * time.Hour

	minApprovalMaxAge   = time.Minute
	minApprovalDuration = time.Minute
	maxApprovals        = 9
	maxPeriods          = 32
	// maxPeriodDuration limits how far back the manager looks for the begin of a recurring period.
	maxPeriodDuration = 366 * 24 * time.Hour
)

// cronFields are the five fields of a schedule. Descriptors such as @daily are not accepted.
var cronFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// ParseSchedule parses the schedule of a period. The schedule counts in the location of the times that are passed to it.
func ParseSchedule(schedule string) (cron.Schedule, error) {
	if strings.Contains(schedule, "=") {
		return nil, errors.New("contains a time zone: set timeZone instead")
	}
	parsed, err := cronFields.Parse(schedule)
	if err != nil {
		return nil, fmt.Errorf("is not in cron format: set minute, hour, day of month, month and day of week, for example \"0 18 * * 5\": %w", err)
	}
	if parsed.Next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("never occurs: set a date that exists")
	}
	return parsed, nil
}

// ParseTimeZone returns the location of a time zone. An empty name means UTC.
func ParseTimeZone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "Local") {
		return nil, errors.New("is the time zone of the manager's host: set a name of the IANA time zone database, for example Europe/Berlin")
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("is unknown: set a name of the IANA time zone database, for example Europe/Berlin: %w", err)
	}
	return location, nil
}

// Validate checks all rules of the approval, also those that the schema of the CRD contains, because a file of the manager can contain an
// approval, too.
func (a *TerraformApproval) Validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch a.Mode {
	case "", ApprovalModeDisruptive, ApprovalModeAlways:
	default:
		errs = append(errs, field.NotSupported(path.Child("mode"), a.Mode, []ApprovalMode{ApprovalModeDisruptive, ApprovalModeAlways}))
	}
	if a.RequiredApprovals < 0 || a.RequiredApprovals > maxApprovals {
		errs = append(errs, field.Invalid(path.Child("requiredApprovals"), a.RequiredApprovals, fmt.Sprintf("must be 1 to %d", maxApprovals)))
	}
	if a.MaxAge != nil && a.MaxAge.Duration < minApprovalMaxAge {
		errs = append(errs, field.Invalid(path.Child("maxAge"), a.MaxAge.Duration.String(), "must be at least 1m"))
	}
	freezes := make([]ApprovalPeriod, 0, len(a.Freezes))
	for _, freeze := range a.Freezes {
		freezes = append(freezes, freeze.ApprovalPeriod)
	}
	windows := make([]ApprovalPeriod, 0, len(a.Windows))
	for _, window := range a.Windows {
		windows = append(windows, window.ApprovalPeriod)
	}
	errs = append(errs, validatePeriods(path.Child("freezes"), freezes)...)
	return append(errs, validatePeriods(path.Child("windows"), windows)...)
}

func validatePeriods(path *field.Path, periods []ApprovalPeriod) field.ErrorList {
	var errs field.ErrorList
	if len(periods) > maxPeriods {
		errs = append(errs, field.TooMany(path, len(periods), maxPeriods))
	}
	names := map[string]bool{}
	for i, period := range periods {
		item := path.Index(i)
		switch {
		case period.Name == "":
			errs = append(errs, field.Required(item.Child("name"), "name the period"))
		case names[period.Name]:
			errs = append(errs, field.Duplicate(item.Child("name"), period.Name))
		}
		names[period.Name] = true
		errs = append(errs, period.validate(item)...)
	}
	return errs
}

func (p *ApprovalPeriod) validate(path *field.Path) field.ErrorList {
	recurring, once := p.Schedule != "" || p.Duration != nil, p.Start != nil || p.End != nil
	switch {
	case recurring == once:
		return field.ErrorList{field.Required(path, "set either schedule and duration, or start and end")}
	case recurring:
		return p.validateRecurring(path)
	case p.Start == nil:
		return field.ErrorList{field.Required(path.Child("start"), "end is set: set start too")}
	case p.End == nil:
		return field.ErrorList{field.Required(path.Child("end"), "start is set: set end too")}
	case !p.End.After(p.Start.Time):
		return field.ErrorList{field.Invalid(path.Child("end"), p.End.UTC().Format(time.RFC3339), "must be after start")}
	case p.TimeZone != "":
		return field.ErrorList{field.Forbidden(path.Child("timeZone"), "start and end contain their time zone: remove timeZone")}
	}
	return nil
}

func (p *ApprovalPeriod) validateRecurring(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p.Schedule == "" {
		errs = append(errs, field.Required(path.Child("schedule"), "duration is set: set schedule too"))
	} else if _, err := ParseSchedule(p.Schedule); err != nil {
		errs = append(errs, field.Invalid(path.Child("schedule"), p.Schedule, err.Error()))
	}
	if _, err := ParseTimeZone(p.TimeZone); err != nil {
		errs = append(errs, field.Invalid(path.Child("timeZone"), p.TimeZone, err.Error()))
	}
	switch {
	case p.Duration == nil:
		errs = append(errs, field.Required(path.Child("duration"), "schedule is set: set duration too"))
	case p.Duration.Duration < minApprovalDuration || p.Duration.Duration > maxPeriodDuration:
		errs = append(errs, field.Invalid(path.Child("duration"), p.Duration.Duration.String(), "must be at least 1m and at most 366 days"))
	}
	return errs
}
