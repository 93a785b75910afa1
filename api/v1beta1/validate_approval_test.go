package v1beta1_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func weekend(change func(*infrav1.ApprovalPeriod)) infrav1.ApprovalPeriod {
	period := infrav1.ApprovalPeriod{
		Name: "weekend", Schedule: "0 18 * * 5", TimeZone: "Europe/Berlin", Duration: &metav1.Duration{Duration: 62 * time.Hour},
	}
	change(&period)
	return period
}

func once(change func(*infrav1.ApprovalPeriod)) infrav1.ApprovalPeriod {
	start := metav1.Date(2026, time.December, 24, 0, 0, 0, 0, time.UTC)
	end := metav1.Date(2026, time.December, 27, 0, 0, 0, 0, time.UTC)
	period := infrav1.ApprovalPeriod{Name: "christmas", Start: &start, End: &end}
	change(&period)
	return period
}

func TestApprovalPeriodsAreValidated(t *testing.T) {
	for name, tc := range map[string]struct {
		period infrav1.ApprovalPeriod
		want   string
	}{
		"recurring":          {weekend(func(*infrav1.ApprovalPeriod) {}), ""},
		"once":               {once(func(*infrav1.ApprovalPeriod) {}), ""},
		"UTC":                {weekend(func(p *infrav1.ApprovalPeriod) { p.TimeZone = "" }), ""},
		"days by name":       {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "0 18 * JAN-MAR FRI" }), ""},
		"no name":            {weekend(func(p *infrav1.ApprovalPeriod) { p.Name = "" }), "freezes[0].name: Required value"},
		"nothing":            {infrav1.ApprovalPeriod{Name: "p"}, "freezes[0]: Required value: set either schedule and duration, or start and end"},
		"both":               {once(func(p *infrav1.ApprovalPeriod) { p.Schedule = "0 18 * * 5" }), "set either schedule and duration, or start and end"},
		"six fields":         {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "0 0 18 * * 5" }), `freezes[0].schedule: Invalid value: "0 0 18 * * 5": is not in cron format`},
		"descriptor":         {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "@weekly" }), "is not in cron format: set minute, hour"},
		"zone in schedule":   {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "TZ=UTC" }), "contains a time zone: set timeZone instead"},
		"hour 24":            {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "0 24 * * *" }), "freezes[0].schedule: Invalid value"},
		"30 February":        {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "0 0 30 2 *" }), "never occurs"},
		"unknown zone":       {weekend(func(p *infrav1.ApprovalPeriod) { p.TimeZone = "Europe/Nowhere" }), `freezes[0].timeZone: Invalid value: "Europe/Nowhere": is unknown`},
		"zone of the host":   {weekend(func(p *infrav1.ApprovalPeriod) { p.TimeZone = "Local" }), "is the time zone of the manager's host"},
		"no duration":        {weekend(func(p *infrav1.ApprovalPeriod) { p.Duration = nil }), "freezes[0].duration: Required value"},
		"no schedule":        {weekend(func(p *infrav1.ApprovalPeriod) { p.Schedule = "" }), "freezes[0].schedule: Required value"},
		"zero duration":      {weekend(func(p *infrav1.ApprovalPeriod) { p.Duration.Duration = 0 }), `freezes[0].duration: Invalid value: "0s"`},
		"negative duration":  {weekend(func(p *infrav1.ApprovalPeriod) { p.Duration.Duration = -time.Hour }), "must be at least 1m"},
		"endless":            {weekend(func(p *infrav1.ApprovalPeriod) { p.Duration.Duration = 9000 * time.Hour }), "at most 366 days"},
		"no start":           {once(func(p *infrav1.ApprovalPeriod) { p.Start = nil }), "freezes[0].start: Required value"},
		"no end":             {once(func(p *infrav1.ApprovalPeriod) { p.End = nil }), "freezes[0].end: Required value"},
		"ends at its start":  {once(func(p *infrav1.ApprovalPeriod) { p.End = p.Start }), "freezes[0].end: Invalid value"},
		"zone without need":  {once(func(p *infrav1.ApprovalPeriod) { p.TimeZone = "Europe/Berlin" }), "freezes[0].timeZone: Forbidden"},
		"unreadable zone":    {weekend(func(p *infrav1.ApprovalPeriod) { p.TimeZone = "../etc/passwd" }), "freezes[0].timeZone"},
		"duration and start": {once(func(p *infrav1.ApprovalPeriod) { p.Duration = &metav1.Duration{} }), "set either"},
	} {
		t.Run(name, func(t *testing.T) {
			approval := infrav1.TerraformApproval{Freezes: []infrav1.ApprovalFreeze{{ApprovalPeriod: tc.period}}}
			errs := approval.Validate(nil)
			if tc.want == "" {
				require.Empty(t, errs)
				return
			}
			require.NotEmpty(t, errs)
			assert.ErrorContains(t, errs.ToAggregate(), tc.want)
		})
	}
}

func TestApprovalIsValidated(t *testing.T) {
	valid := weekend(func(*infrav1.ApprovalPeriod) {})
	for want, approval := range map[string]infrav1.TerraformApproval{
		"spec.terraform.approval.maxAge: Invalid value: \"59s\": must be at least 1m":    {MaxAge: &metav1.Duration{Duration: 59 * time.Second}},
		"spec.terraform.approval.mode: Unsupported value: \"Never\"":                     {Mode: "Never"},
		"spec.terraform.approval.requiredApprovals: Invalid value: 10: must be 1 to 9":   {RequiredApprovals: 10},
		"spec.terraform.approval.windows[1].name: Duplicate value: \"weekend\"":          {Windows: []infrav1.ApprovalWindow{{ApprovalPeriod: valid}, {ApprovalPeriod: valid}}},
		"spec.terraform.approval.windows[0].duration: Invalid value: \"1s\": must be at": {Windows: []infrav1.ApprovalWindow{{ApprovalPeriod: weekend(func(p *infrav1.ApprovalPeriod) { p.Duration.Duration = time.Second })}}},
		"spec.terraform.approval.freezes: Too many: 33: must have at most 32 items":      {Freezes: make([]infrav1.ApprovalFreeze, 33)},
	} {
		cluster := cluster()
		cluster.Spec.Terraform = &infrav1.TerraformSpec{Approval: &approval}
		assert.ErrorContains(t, cluster.Validate().ToAggregate(), want)
	}
}
