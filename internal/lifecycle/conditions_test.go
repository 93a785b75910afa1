package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
)

func TestFailureReason(t *testing.T) {
	reasons := map[terraform.Class][2]string{ // the reasons for a failed plan and for a failed apply
		terraform.LockHeld:       {"StateLocked", "StateLocked"},
		terraform.StalePlan:      {"PlanSuperseded", "PlanSuperseded"},
		terraform.Authentication: {"AuthenticationFailed", "AuthenticationFailed"},
		terraform.Permission:     {"PermissionDenied", "PermissionDenied"},
		terraform.Certificate:    {"CertificateInvalid", "CertificateInvalid"},
		terraform.Unreachable:    {"PrismUnreachable", "PrismUnreachable"},
		terraform.Rejected:       {"PrismRequestRejected", "PrismRequestRejected"},
		terraform.LocalDisk:      {"LocalDiskFull", "LocalDiskFull"},
		terraform.Quota:          {"QuotaExceeded", "QuotaExceeded"},
		terraform.ProviderPanic:  {"ProviderFailed", "ProviderFailed"},
		terraform.NotFound:       {"PlanFailed", "ApplyFailed"},
		terraform.Timeout:        {"PlanFailed", "ApplyFailed"},
		terraform.Transient:      {"PlanFailed", "ApplyFailed"},
		terraform.Canceled:       {"PlanFailed", "ApplyFailed"},
		terraform.Invalid:        {"PlanFailed", "ApplyFailed"},
		terraform.Unknown:        {"PlanFailed", "ApplyFailed"},
	}
	require.Len(t, reasons, len(classes))
	for class, want := range reasons {
		assert.Equal(t, want[0], FailureReason(terraformError("plan", class)), class)
		assert.Equal(t, want[1], FailureReason(fmt.Errorf("wrapped: %w", terraformError("apply", class))), class)
	}
	for class, want := range map[terraform.Class]string{
		terraform.Authentication: "StateBackendFailed", terraform.Permission: "StateBackendFailed", terraform.Transient: "StateBackendFailed",
		terraform.Unknown: "StateBackendFailed", terraform.LockHeld: "StateLocked", terraform.LocalDisk: "LocalDiskFull",
	} {
		failed := &terraform.Error{Verb: "apply", Class: class, Source: terraform.SourceBackend}
		assert.Equal(t, want, FailureReason(fmt.Errorf("wrapped: %w", failed)), class)
	}
	noSpace := &fs.PathError{Op: "mkdir", Path: "/scratch", Err: syscall.ENOSPC}
	assert.Equal(t, "LocalDiskFull", FailureReason(fmt.Errorf("making a run directory: %w", noSpace)))
	assert.Equal(t, "VMNotFound", FailureReason(fmt.Errorf("wrapped: %w", &AbsentError{ID: "x"})))
	assert.Equal(t, "VMNameConflict", FailureReason(fmt.Errorf("wrapped: %w", &ConflictError{Message: "x"})))
	assert.Equal(t, "VMDuplicate", FailureReason(fmt.Errorf("wrapped: %w", &ConflictError{Reason: "VMDuplicate", Message: "x"})))
	assert.Equal(t, "VMBelongsToOther", FailureReason(fmt.Errorf("wrapped: %w", &ForeignError{ID: "x"})))
	assert.Equal(t, "VMNotFound", FailureReason(fmt.Errorf("wrapped: %w", &WaitError{Reason: "VMNotFound"})))
	assert.Equal(t, "PlanFailed", FailureReason(errors.New("anything")))
}

func TestDecided(t *testing.T) {
	record := &plan.Record{Disruption: provider.PowerCycle}
	waits := plan.Verdict{Decision: plan.Waiting, Reason: "it changes a", NeedsApproval: true}
	for name, test := range map[string]struct {
		result Result
		want   string
	}{
		"waits":            {Result{State: AwaitingDecision, Plan: record, PlanName: "p", Verdict: waits}, "False DisruptivePlan: it changes a: approve NutanixPlan p"},
		"drifted":          {Result{State: Drifted, Plan: record, PlanName: "p", Verdict: waits}, "False DisruptivePlan: it changes a: approve NutanixPlan p"},
		"denied":           {Result{State: Denied, Plan: record, PlanName: "p"}, "True Denied: NutanixPlan p is denied"},
		"approved":         {Result{State: Approved, Plan: record, Verdict: plan.Verdict{Reason: "approved by a"}}, "True Approved: approved by a"},
		"applying":         {Result{State: Running, Applying: true, Plan: record, Verdict: plan.Verdict{Reason: "approved by a"}}, "True Approved: approved by a"},
		"nothing to do":    {Result{State: InSync}, "True NoChanges: "},
		"is being planned": {Result{State: Running}, ""},
		"failed":           {Result{State: Failed}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			decided := test.result.Decided()
			if test.want == "" {
				assert.Nil(t, decided)
				return
			}
			require.NotNil(t, decided)
			assert.Equal(t, infrav1.DecidedCondition, decided.Type)
			assert.Contains(t, fmt.Sprintf("%s %s: %s", decided.Status, decided.Reason, decided.Message), test.want)
		})
	}
}

func TestConditions(t *testing.T) {
	record := &plan.Record{Counts: plan.Counts{Create: 1}, Changes: []plan.Change{{Address: "a", Actions: []plan.Action{plan.ActionCreate}}}}
	disruptive := &plan.Record{Disruption: provider.Replace, Counts: record.Counts, Changes: record.Changes}
	waits := plan.Verdict{Decision: plan.Waiting, Reason: "it replaces a"}
	tests := map[string]struct {
		result            Result
		deleting          bool
		recorded, applied string
	}{
		"nothing yet":             {Result{State: NoPlan}, false, "False WaitingForPlan", "False WaitingForPlan"},
		"superseded":              {Result{State: PlanStale}, false, "False WaitingForPlan", "False WaitingForPlan"},
		"planning":                {Result{State: Running}, false, "False Planning", "False WaitingForPlan"},
		"waits for a slot":        {Result{State: Approved, Plan: record}, false, "True Planned", "False Planned"},
		"applying":                {Result{State: Running, Applying: true, Plan: record}, false, "True Planned", "False Applying"},
		"still applying":          {Result{State: Running, Plan: record}, false, "True Planned", "False Applying"},
		"destroying":              {Result{State: Running, Applying: true, Plan: record}, true, "True Planned", "False Destroying"},
		"in sync":                 {Result{State: InSync}, false, "True NoChanges", "True Applied"},
		"destroyed":               {Result{State: InSync}, true, "True NoChanges", "True Destroyed"},
		"waits":                   {Result{State: AwaitingDecision, Plan: disruptive, Verdict: waits}, false, "True DisruptivePlan", "False DisruptivePlan"},
		"waits, disrupts nothing": {Result{State: AwaitingDecision, Plan: record, Verdict: waits}, false, "True WaitingForApproval", "False WaitingForApproval"},
		"waits, applied before":   {Result{State: AwaitingDecision, Plan: disruptive, Verdict: waits, AppliedBefore: true}, false, "True DisruptivePlan", "True Applied"},
		"drifted":                 {Result{State: Drifted, Plan: disruptive, Verdict: waits, AppliedBefore: true}, false, "True DisruptivePlan", "True Applied"},
		"denied":                  {Result{State: Denied, Plan: record}, false, "True Denied", "False Denied"},
		"denied, applied before":  {Result{State: Denied, Plan: record, AppliedBefore: true}, false, "True Denied", "True Applied"},
		"locked":                  {Result{State: Locked, Err: terraformError("plan", terraform.LockHeld)}, false, "False StateLocked", "False StateLocked"},
		"planning failed":         {Result{State: Failed, Err: terraformError("plan", terraform.Invalid)}, false, "False PlanFailed", "False PlanFailed"},
		"applying failed":         {Result{State: Failed, Err: terraformError("apply", terraform.Quota)}, false, "True Planned", "False QuotaExceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conditions := test.result.Conditions(test.deleting)
			require.Len(t, conditions, 2)
			assert.Equal(t, []string{infrav1.PlanRecordedCondition, infrav1.AppliedCondition}, []string{conditions[0].Type, conditions[1].Type})
			assert.Equal(t, test.recorded, fmt.Sprintf("%s %s", conditions[0].Status, conditions[0].Reason))
			assert.Equal(t, test.applied, fmt.Sprintf("%s %s", conditions[1].Status, conditions[1].Reason))
			if test.result.Verdict.Reason != "" {
				assert.Contains(t, conditions[0].Message, "it replaces a")
				assert.Contains(t, conditions[0].Message, record.Summary())
			}
		})
	}
}

// TestRecordLimitsTheListedChanges proves that a status lists only the first changes of a large plan, but counts all of them.
func TestRecordLimitsTheListedChanges(t *testing.T) {
	made := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	record := &plan.Record{Cause: plan.CauseUpdate, Counts: plan.Counts{Create: 40, Update: 1, Replace: 2, Delete: 3, Import: 4}, Time: made}
	for i := range 50 {
		record.Changes = append(record.Changes, plan.Change{Address: fmt.Sprint(i), Actions: []plan.Action{plan.ActionImport, plan.ActionUpdate}})
	}
	status := &infrav1.TerraformStatus{}
	Result{LastPlan: record, LastApplied: made.Add(time.Minute), Applied: &Applied{"d", "l", 5}}.Record(status, "1.11.4", "1.9.5")
	require.Len(t, status.LastPlan.Changes, 32)
	assert.Equal(t, infrav1.PlanChange{Address: "0", Actions: []string{"import", "update"}}, status.LastPlan.Changes[0])
	status.LastPlan.Changes = nil
	assert.Equal(t, &infrav1.TerraformStatus{
		WorkspaceDigest: "d", Lineage: "l", Serial: 5, TerraformVersion: "1.11.4", ProviderVersion: "1.9.5",
		LastAppliedTime: &metav1.Time{Time: made.Add(time.Minute)},
		LastPlan:        &infrav1.PlanSummary{Cause: "Update", Create: 40, Update: 1, Replace: 2, Delete: 3, Import: 4, Time: metav1.NewTime(made)},
	}, status)
}

// TestRecordKeepsUnknownFields proves that a step without new results does not change the status, even after a restart.
func TestRecordKeepsUnknownFields(t *testing.T) {
	status := infrav1.TerraformStatus{WorkspaceDigest: "d", Serial: 5, LastPlan: &infrav1.PlanSummary{Create: 1}, LastAppliedTime: &metav1.Time{}}
	before := *status.DeepCopy()
	Result{State: Failed, Err: errors.New("x")}.Record(&status, "1.11.4", "1.9.5")
	assert.Equal(t, before, status)
}

func TestBackoffGrowsToAMinute(t *testing.T) {
	for class, want := range map[terraform.Class][]time.Duration{
		terraform.Transient:      {5e9, 10e9, 20e9, 40e9, 60e9, 60e9},
		terraform.Canceled:       {5e9, 10e9, 20e9, 40e9, 60e9, 60e9},
		terraform.Authentication: {20e9, 20e9, 20e9, 40e9, 60e9, 60e9},
		terraform.Invalid:        {60e9, 60e9, 60e9, 60e9, 60e9, 60e9},
	} {
		var delays []time.Duration
		for failures := range want {
			delays = append(delays, backoff(&terraform.Error{Class: class}, failures))
		}
		assert.Equal(t, want, delays, class)
	}
	assert.Equal(t, time.Minute, backoff(errors.New("x"), 1<<40))
}
