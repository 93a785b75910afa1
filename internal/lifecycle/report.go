package lifecycle

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// Happening is something worth an event. Its reason is also the reason of a condition.
type Happening struct {
	// Type is corev1.EventTypeNormal or corev1.EventTypeWarning.
	Type string
	// Action is what was being done: Plan, Apply or Unlock.
	Action  string
	Reason  string
	Message string
}

// report turns the outcomes of runs into what is worth an event.
func report(outcomes []outcome) []Happening {
	var happenings []Happening
	for i := range outcomes {
		o := &outcomes[i]
		if o.discarded != "" {
			happenings = append(happenings, Happening{Type: corev1.EventTypeWarning, Action: "Plan", Reason: infrav1.StateDiscardedReason,
				Message: "Gave up the state of an earlier apply, because another one was written since: " + o.discarded})
		}
		if o.unlocked != "" {
			happenings = append(happenings, Happening{Type: corev1.EventTypeNormal, Action: "Unlock", Reason: infrav1.StateLockBrokenReason,
				Message: "Broke the state lock that a dead run of this manager had left: " + o.unlocked})
		} else if o.superseded != "" {
			happenings = append(happenings, Happening{Type: corev1.EventTypeNormal, Action: "Apply", Reason: infrav1.PlanSupersededReason,
				Message: "Planning again: " + o.superseded})
		}
		if o.planned != nil {
			happenings = append(happenings, Happening{Type: corev1.EventTypeNormal, Action: "Plan", Reason: infrav1.PlannedReason,
				Message: fmt.Sprintf("%s; cause: %s", o.planned.Record.Summary(), o.planned.Record.Cause)})
		}
		if o.carriedOut {
			happenings = append(happenings, Happening{Type: corev1.EventTypeNormal, Action: "Apply", Reason: appliedReason(o.record),
				Message: fmt.Sprintf("Applied plan %.12s: %s", o.record.SHA256, o.record.Total())})
		}
		if o.err != nil {
			happenings = append(happenings, failure(o))
		}
	}
	return happenings
}

func failure(o *outcome) Happening {
	happening := Happening{Type: corev1.EventTypeWarning, Action: "Plan", Reason: FailureReason(o.err), Message: o.err.Error()}
	if o.record != nil {
		happening.Action = "Apply"
	}
	return happening
}

func appliedReason(record *plan.Record) string {
	switch {
	case record.Destroy:
		return infrav1.DestroyedReason
	case record.Counts.Import > 0:
		return infrav1.ImportedReason
	default:
		return infrav1.AppliedReason
	}
}

// FailureReason returns the condition reason for the error of a run.
func FailureReason(err error) string {
	var lost *LostError
	var conflict *ConflictError
	switch {
	case errors.As(err, &lost):
		return infrav1.VMLostReason
	case errors.As(err, &conflict):
		return infrav1.VMNameConflictReason
	}
	var failed *terraform.Error
	if !errors.As(err, &failed) {
		return infrav1.PlanFailedReason
	}
	switch failed.Class {
	case terraform.LockHeld:
		return infrav1.StateLockedReason
	case terraform.Authentication:
		return infrav1.AuthenticationFailedReason
	case terraform.Quota:
		return infrav1.QuotaExceededReason
	case terraform.ProviderPanic:
		return infrav1.ProviderFailedReason
	case terraform.StalePlan:
		return infrav1.PlanSupersededReason
	case terraform.NotFound, terraform.Timeout, terraform.Transient, terraform.Canceled, terraform.Invalid, terraform.Unknown:
	}
	if failed.Verb == "apply" {
		return infrav1.ApplyFailedReason
	}
	return infrav1.PlanFailedReason
}

// Conditions returns the two conditions that every kind with a workspace has: PlanRecorded and Applied.
func (r Result) Conditions(deleting bool) []metav1.Condition {
	recorded, applied := r.conditions(deleting)
	recorded.Type, applied.Type = infrav1.PlanRecordedCondition, infrav1.AppliedCondition
	return []metav1.Condition{recorded, applied}
}

func (r Result) conditions(deleting bool) (recorded, applied metav1.Condition) {
	summary := ""
	if r.Plan != nil {
		summary = r.Plan.Summary()
	}
	switch r.State {
	case InSync:
		applied := yes(infrav1.AppliedReason, "")
		if deleting {
			applied = yes(infrav1.DestroyedReason, "")
		}
		return yes(infrav1.NoChangesReason, ""), applied
	case Running:
		if !r.Applying && r.Plan == nil {
			return no(infrav1.PlanningReason, ""), no(infrav1.WaitingForPlanReason, "")
		}
		reason := infrav1.ApplyingReason
		if deleting {
			reason = infrav1.DestroyingReason
		}
		return yes(infrav1.PlannedReason, summary), no(reason, summary)
	case Approved:
		return yes(infrav1.PlannedReason, summary), no(infrav1.PlannedReason, summary)
	case AwaitingDecision, Drifted:
		message := r.Verdict.Reason + "; it is not applied: undo the cause, or delete the object. " + summary
		return yes(infrav1.PlannedReason, summary), no(infrav1.DestructivePlanReason, message)
	case Denied:
		return yes(infrav1.PlannedReason, summary), no(infrav1.DeniedReason, r.Verdict.Reason)
	case Locked, Failed, Lost:
		return r.failed()
	case NoPlan, PlanStale:
	}
	return no(infrav1.WaitingForPlanReason, ""), no(infrav1.WaitingForPlanReason, "")
}

func (r Result) failed() (recorded, applied metav1.Condition) {
	reason, message := infrav1.PlanFailedReason, ""
	switch {
	case r.Err != nil:
		reason, message = FailureReason(r.Err), r.Err.Error()
	case r.State == Lost:
		reason, message = infrav1.VMLostReason, "the virtual machine disappeared from Prism Central"
	}
	if r.ApplyFailed() {
		return yes(infrav1.PlannedReason, ""), no(reason, message)
	}
	return no(reason, message), no(reason, message)
}

// ApplyFailed reports whether the last failure was that of an apply, which may have changed something.
func (r Result) ApplyFailed() bool {
	var failed *terraform.Error
	return errors.As(r.Err, &failed) && failed.Verb == "apply"
}

func yes(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

func no(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Record notes in the Terraform status of an object what happened since the last step and what is in sync now.
func (r Result) Record(status *infrav1.TerraformStatus, terraformVersion, providerVersion string) {
	if r.LastPlan != nil {
		status.LastPlan = summarize(r.LastPlan)
	}
	if !r.LastApplied.IsZero() {
		status.LastAppliedTime = &metav1.Time{Time: r.LastApplied}
	}
	if r.Applied != nil {
		status.WorkspaceDigest, status.Lineage, status.Serial = r.Applied.WorkspaceDigest, r.Applied.Lineage, r.Applied.Serial
		status.TerraformVersion, status.ProviderVersion = terraformVersion, providerVersion
	}
}

// summaryChanges bounds how many changes a status lists.
const summaryChanges = 32

func summarize(record *plan.Record) *infrav1.PlanSummary {
	summary := &infrav1.PlanSummary{
		Cause:   infrav1.PlanCause(record.Cause),
		Create:  record.Counts.Create,
		Update:  record.Counts.Update,
		Replace: record.Counts.Replace,
		Delete:  record.Counts.Delete,
		Import:  record.Counts.Import,
		Time:    metav1.NewTime(record.Time),
	}
	for _, change := range record.Changes[:min(len(record.Changes), summaryChanges)] {
		actions := make([]string, 0, len(change.Actions))
		for _, action := range change.Actions {
			actions = append(actions, string(action))
		}
		summary.Changes = append(summary.Changes, infrav1.PlanChange{Address: change.Address, Actions: actions})
	}
	return summary
}
