package plan

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func hours(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Hour} }

func TestMergeReturnsTheStricterValues(t *testing.T) {
	none := infrav1.TerraformApproval{}
	strict := infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways, RequiredApprovals: 3, MaxAge: hours(1)}
	lax := infrav1.TerraformApproval{Mode: infrav1.ApprovalModeDisruptive, RequiredApprovals: 1, MaxAge: hours(720)}
	for name, tc := range map[string]struct {
		floor, cluster infrav1.TerraformApproval
		mode           infrav1.ApprovalMode
		approvals      int32
		age            time.Duration
	}{
		"defaults":                    {none, none, infrav1.ApprovalModeDisruptive, 1, 24 * time.Hour},
		"cluster is stricter":         {lax, strict, infrav1.ApprovalModeAlways, 3, time.Hour},
		"cluster cannot lower":        {strict, lax, infrav1.ApprovalModeAlways, 3, time.Hour},
		"default is stricter":         {none, lax, infrav1.ApprovalModeDisruptive, 1, 24 * time.Hour},
		"both are longer":             {lax, lax, infrav1.ApprovalModeDisruptive, 1, 720 * time.Hour},
		"floor applies without rules": {strict, none, infrav1.ApprovalModeAlways, 3, time.Hour},
	} {
		rules := Merge(tc.floor, tc.cluster)
		assert.Equal(t, tc.mode, rules.Mode, name)
		assert.Equal(t, tc.approvals, rules.RequiredApprovals, name)
		assert.Equal(t, tc.age, rules.MaxAge, name)
	}
}

func freeze(name, schedule string, duration int) infrav1.ApprovalFreeze {
	period := recurring(schedule, "Europe/Berlin", time.Duration(duration)*time.Hour)
	period.Name = name
	return infrav1.ApprovalFreeze{ApprovalPeriod: period, By: "ops@example.com", Reason: "quarter end"}
}

func window(name, schedule string, duration int) infrav1.ApprovalWindow {
	return infrav1.ApprovalWindow{ApprovalPeriod: freeze(name, schedule, duration).ApprovalPeriod}
}

func TestFreezesForbidApplies(t *testing.T) {
	noon := at(t, "2026-12-04T11:00:00Z") // a Friday, 12:00 in Berlin
	day, night := freeze("day", "0 8 * * *", 10), freeze("night", "0 22 * * *", 8)
	long := freeze("long", "0 0 * * 5", 72)
	exempt := day
	exempt.ExemptDeletions = true
	for name, tc := range map[string]struct {
		floor, cluster []infrav1.ApprovalFreeze
		deleting       bool
		message        string
		until          string
	}{
		"none":  {},
		"other": {cluster: []infrav1.ApprovalFreeze{night}},
		"cluster": {
			cluster: []infrav1.ApprovalFreeze{day},
			message: `freeze "day" of the NutanixCluster lasts until 2026-12-04T18:00:00+01:00, ordered by ops@example.com: quarter end`,
			until:   "2026-12-04T18:00:00+01:00",
		},
		"deletion":        {cluster: []infrav1.ApprovalFreeze{day}, deleting: true, message: `freeze "day"`, until: "2026-12-04T18:00:00+01:00"},
		"exempt deletion": {cluster: []infrav1.ApprovalFreeze{exempt}, deleting: true},
		"exempt update":   {cluster: []infrav1.ApprovalFreeze{exempt}, message: `freeze "day"`, until: "2026-12-04T18:00:00+01:00"},
		"exempt only by the cluster": {
			floor: []infrav1.ApprovalFreeze{day}, cluster: []infrav1.ApprovalFreeze{exempt}, deleting: true,
			message: `freeze "day" of the manager lasts`, until: "2026-12-04T18:00:00+01:00",
		},
		"both": {
			floor: []infrav1.ApprovalFreeze{long}, cluster: []infrav1.ApprovalFreeze{day},
			message: `quarter end; freeze "day" of the NutanixCluster`, until: "2026-12-07T00:00:00+01:00",
		},
		"unreadable": {floor: []infrav1.ApprovalFreeze{day, freeze("bad", "x", 1)}, message: `freeze "bad" of the manager cannot be evaluated`, until: "0001-01-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			rules := Merge(infrav1.TerraformApproval{Freezes: tc.floor}, infrav1.TerraformApproval{Freezes: tc.cluster})
			assertClosed(t, rules, noon, tc.deleting, tc.message, tc.until)
		})
	}
}

func TestWindowsPermitApplies(t *testing.T) {
	noon := at(t, "2026-12-04T11:00:00Z")
	day, night, evening := window("day", "0 8 * * *", 10), window("night", "0 22 * * *", 8), window("evening", "0 18 * * *", 2)
	past := infrav1.ApprovalWindow{ApprovalPeriod: infrav1.ApprovalPeriod{
		Name: "past", Start: newTime(noon.Add(-2 * time.Hour)), End: newTime(noon.Add(-time.Hour)),
	}}
	for name, tc := range map[string]struct {
		floor, cluster []infrav1.ApprovalWindow
		message        string
		until          string
	}{
		"none":         {},
		"open":         {cluster: []infrav1.ApprovalWindow{night, day}},
		"closed":       {cluster: []infrav1.ApprovalWindow{night, evening}, message: `window "evening" of the NutanixCluster opens at 2026-12-04T18:00:00+01:00`, until: "2026-12-04T18:00:00+01:00"},
		"floor closed": {floor: []infrav1.ApprovalWindow{night}, cluster: []infrav1.ApprovalWindow{day}, message: `window "night" of the manager opens`, until: "2026-12-04T22:00:00+01:00"},
		"both closed":  {floor: []infrav1.ApprovalWindow{night}, cluster: []infrav1.ApprovalWindow{evening}, message: "; ", until: "2026-12-04T22:00:00+01:00"},
		"both open":    {floor: []infrav1.ApprovalWindow{day}, cluster: []infrav1.ApprovalWindow{day}},
		"past":         {cluster: []infrav1.ApprovalWindow{past}, message: "no window of the NutanixCluster opens any more", until: "0001-01-01T00:00:00Z"},
		"unreadable": {
			cluster: []infrav1.ApprovalWindow{window("bad", "x", 1), evening},
			message: `window "bad" of the NutanixCluster cannot be evaluated`, until: "2026-12-04T18:00:00+01:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := Merge(infrav1.TerraformApproval{Windows: tc.floor}, infrav1.TerraformApproval{Windows: tc.cluster})
			assertClosed(t, rules, noon, false, tc.message, tc.until)
		})
	}
}

func assertClosed(t *testing.T, rules Rules, now time.Time, deleting bool, want, end string) {
	t.Helper()
	message, until := rules.Closed(now, deleting)
	if want == "" {
		require.Empty(t, message)
		assert.Zero(t, until)
		return
	}
	assert.Contains(t, message, want)
	assert.Equal(t, at(t, end).UTC(), until.UTC())
}

func TestReadFloor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "approval.yaml")
	write := func(content string) { require.NoError(t, os.WriteFile(path, []byte(content), 0o600)) }

	floor, err := ReadFloor("")
	require.NoError(t, err)
	assert.Equal(t, infrav1.TerraformApproval{}, floor)
	_, err = ReadFloor(path)
	require.ErrorIs(t, err, os.ErrNotExist)

	write("mode: Always\nrequiredApprovals: 2\nmaxAge: 12h\nfreezes:\n- name: weekend\n  schedule: 0 18 * * 5\n  duration: 62h\n  timeZone: Europe/Berlin\n")
	floor, err = ReadFloor(path)
	require.NoError(t, err)
	assert.Equal(t, infrav1.ApprovalModeAlways, floor.Mode)
	assert.Equal(t, int32(2), floor.RequiredApprovals)
	assert.Equal(t, "weekend", floor.Freezes[0].Name)

	for content, want := range map[string]string{
		"mod: Always": `unknown field "mod"`,
		"mode: Never": `mode: Unsupported value: "Never"`,
		"freezes:\n- name: a\n  schedule: '@daily'\n  duration: 1h": "freezes[0].schedule: Invalid value",
		"- mode: Always": "must contain the fields of spec.terraform.approval",
	} {
		write(content)
		_, err = ReadFloor(path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
}
