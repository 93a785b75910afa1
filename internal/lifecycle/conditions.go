package lifecycle

import (
	"cmp"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
)

// FailureReason returns the reason for the condition that reports the error of a run.
func FailureReason(err error) string {
	if reason := identityReason(err); reason != "" {
		return reason
	}
	if reason := classReason(terraform.ClassOf(err), terraform.SourceOf(err)); reason != "" {
		return reason
	}
	var failed *terraform.Error
	if errors.As(err, &failed) && failed.Verb == "apply" {
		return infrav1.ApplyFailedReason
	}
	return infrav1.PlanFailedReason
}

// classReason returns the condition reason for a failure of the given class and source. An empty string means that the reason depends on
// the Terraform command.
func classReason(class terraform.Class, source terraform.Source) string {
	switch class {
	case terraform.LockHeld:
		return infrav1.StateLockedReason
	case terraform.StalePlan:
		return infrav1.PlanSupersededReason
	case terraform.LocalDisk:
		return infrav1.LocalDiskFullReason
	default:
		if source == terraform.SourceBackend {
			return infrav1.StateBackendFailedReason
		}
		return prismReasons[class]
	}
}

// prismReasons maps classes to the condition reasons for failures that Prism Central or the provider reports.
var prismReasons = map[terraform.Class]string{
	terraform.Authentication: infrav1.AuthenticationFailedReason,
	terraform.Permission:     infrav1.PermissionDeniedReason,
	terraform.Certificate:    infrav1.CertificateInvalidReason,
	terraform.Unreachable:    infrav1.PrismUnreachableReason,
	terraform.Rejected:       infrav1.PrismRequestRejectedReason,
	terraform.Quota:          infrav1.QuotaExceededReason,
	terraform.ProviderPanic:  infrav1.ProviderFailedReason,
}

// identityReason returns the condition reason for an error of Hooks.Identify or of a migration, or an empty string for other errors.
func identityReason(err error) string {
	var absent *AbsentError
	var conflict *ConflictError
	var foreign *ForeignError
	var wait *WaitError
	var migration *plan.MigrationError
	switch {
	case errors.As(err, &absent):
		return infrav1.VMNotFoundReason
	case errors.As(err, &conflict):
		return cmp.Or(conflict.Reason, infrav1.VMNameConflictReason)
	case errors.As(err, &foreign):
		return infrav1.VMBelongsToOtherReason
	case errors.As(err, &wait):
		return wait.Reason
	case errors.As(err, &migration):
		return cmp.Or(migration.Reason, infrav1.MigrationRefusedReason)
	}
	return ""
}

// Conditions returns the two conditions that every kind with a workspace has: PlanRecorded and Applied.
func (r Result) Conditions(deleting bool) []metav1.Condition {
	recorded, applied := r.conditions(deleting)
	recorded.Type, applied.Type = infrav1.PlanRecordedCondition, infrav1.AppliedCondition
	return []metav1.Condition{recorded, applied}
}

// Decided returns the condition Decided: whether the recorded plan waits for a decision. It returns nil if the step has not found this out, for
// example while a plan is being made.
func (r Result) Decided() *metav1.Condition {
	var decided metav1.Condition
	switch {
	case r.State == AwaitingDecision, r.State == Drifted:
		recorded, _ := r.conditions(false)
		decided = no(recorded.Reason, recorded.Message)
	case r.State == Denied:
		recorded, _ := r.conditions(false)
		decided = yes(recorded.Reason, recorded.Message)
	case r.State == Approved, r.State == Running && r.Applying:
		decided = yes(infrav1.ApprovedReason, r.Verdict.Reason)
	case r.State == InSync:
		decided = yes(infrav1.NoChangesReason, "")
	default:
		return nil
	}
	decided.Type = infrav1.DecidedCondition
	return &decided
}

func (r Result) conditions(deleting bool) (recorded, applied metav1.Condition) {
	summary := ""
	if r.Plan != nil {
		summary = r.Plan.Summary()
	}
	if r.Retain && (r.State == InSync || r.State == Running || r.State == Retaining) {
		return r.retaining()
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
		if r.Plan.Disruption == provider.None && r.Plan.Hold != nil {
			return r.waiting(r.Plan.Hold.Reason, r.Verdict.Reason+". "+summary)
		}
		reason := infrav1.WaitingForApprovalReason
		if r.Plan.Disruption > provider.None {
			reason = infrav1.DisruptivePlanReason
		}
		if !r.Verdict.NeedsApproval {
			return r.waiting(reason, r.Verdict.Reason+". "+summary)
		}
		return r.waiting(reason, r.Verdict.Reason+": approve NutanixPlan "+r.PlanName+", revert the cause, or delete the object. "+summary)
	case Denied:
		return r.waiting(infrav1.DeniedReason, "NutanixPlan "+r.PlanName+" is denied: "+r.Verdict.Reason+". "+summary)
	case Held:
		return no(r.Hold.Reason, r.Hold.Message), no(r.Hold.Reason, r.Hold.Message)
	case Locked, Failed:
		return r.failed()
	case NoPlan, PlanStale, Retaining:
	}
	return no(infrav1.WaitingForPlanReason, ""), no(infrav1.WaitingForPlanReason, "")
}

// waiting returns the conditions for a plan that is recorded but not applied. The condition Applied still describes the previous
// workspace.
func (r Result) waiting(reason, message string) (recorded, applied metav1.Condition) {
	if r.AppliedBefore {
		return yes(reason, message), yes(infrav1.AppliedReason, "")
	}
	return yes(reason, message), no(reason, message)
}

// Waiting reports whether changes may be pending but are not applied. The cause is a recorded plan that waits for a decision or was
// denied, or a hold that prevents plans.
func (r Result) Waiting() bool {
	return r.State == AwaitingDecision || r.State == Drifted || r.State == Denied || r.State == Held
}

// retaining returns the conditions of an object that is being deleted with Retain, while its workspace is being exported and afterwards.
func (r Result) retaining() (recorded, applied metav1.Condition) {
	if r.State == InSync {
		return yes(infrav1.NoChangesReason, ""), yes(infrav1.RetainedReason, "")
	}
	return no(infrav1.RetainingReason, ""), no(infrav1.RetainingReason, "the workspace is being exported")
}

func (r Result) failed() (recorded, applied metav1.Condition) {
	reason, message := infrav1.PlanFailedReason, ""
	if r.Err != nil {
		reason, message = FailureReason(r.Err), r.Err.Error()
	}
	switch {
	case r.Plan != nil: // the plan is kept for a later apply
		return yes(infrav1.PlannedReason, r.Plan.Summary()), no(reason, message)
	case r.ApplyFailed():
		return yes(infrav1.PlannedReason, ""), no(reason, message)
	}
	return no(reason, message), no(reason, message)
}

// ApplyFailed reports whether the last failed run was an apply, which may have changed the infrastructure.
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
