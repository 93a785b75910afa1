// Package lifecycle contains the pipeline that creates, changes and destroys the infrastructure of all kinds with Terraform. The pipeline
// makes a plan for a rendered workspace, records the plan, decides about it, applies it and reads the state. Determine returns the state
// of a target in the pipeline. A step performs the one action that this state requires.
package lifecycle

import (
	"time"

	"github.com/capnt/capnt/internal/plan"
)

// State is the state of a target in the pipeline.
type State string

// States of a target. A target is in exactly one of them.
const (
	// NoPlan means that changes may be needed and that no plan has been made.
	NoPlan State = "NoPlan"
	// PlanStale means that the recorded plan cannot be used. It was made for another workspace or for another purpose (update or destroy),
	// or it is too old.
	PlanStale State = "PlanStale"
	// AwaitingDecision means that the recorded plan waits for a decision.
	AwaitingDecision State = "AwaitingDecision"
	// Denied means that the recorded plan must not be applied.
	Denied State = "Denied"
	// Approved means that the recorded plan may be applied.
	Approved State = "Approved"
	// Running means that a Terraform run of the target is queued or under way.
	Running State = "Running"
	// Locked means that another process holds the lock of the Terraform state.
	Locked State = "Locked"
	// InSync means that there is nothing to do. If the target is being deleted, nothing is left to destroy.
	InSync State = "InSync"
	// Drifted means that the recorded plan would revert a change that was made outside of Terraform, and that the plan waits for a decision.
	Drifted State = "Drifted"
	// Held means that changes may be needed but the infrastructure must not be changed now.
	Held State = "Held"
	// Retaining means that the object is being deleted, that its infrastructure stays, and that its workspace has not been exported yet.
	Retaining State = "Retaining"
	// Failed means that the last run failed and that its retry is not due yet.
	Failed State = "Failed"
)

// Observed contains all facts from which Determine derives the state.
type Observed struct {
	// Now is the current time.
	Now time.Time
	// Deleting says that the object is being deleted.
	Deleting bool
	// Rendered is the digest of the present workspace, or empty if the workspace has not been rendered.
	Rendered string
	// Applied is the digest of the workspace that was applied last. The field Current is true if the spec has not changed since then. The
	// present workspace then has the same digest.
	Applied string
	Current bool
	// Destroyed says that a run has confirmed that no infrastructure is left to destroy.
	Destroyed bool
	// Retain means that the infrastructure stays when the object is deleted. Retained means that the workspace has been exported.
	Retain, Retained bool
	// Running says that a run of the target is queued or under way.
	Running bool
	// NoPlan is the reason why nothing is planned or applied now, or nil if nothing prevents it.
	NoPlan *plan.Hold
	// NoUpdate is the reason why updates have to wait, or nil if they need not wait. NoUpdate is valid only if UpdatesObserved is true, that
	// is, if this reconcile has checked whether updates have to wait.
	NoUpdate        *plan.Hold
	UpdatesObserved bool
	// Failure describes the last run if it failed.
	Failure Failure
	// Unfinished means that another run is needed, because the last one failed or was superseded.
	Unfinished bool
	// Checked is the time of the last plan or apply.
	Checked time.Time
	// DriftCheck is when a plan compares the infrastructure with the workspace, unless Unchanged is true. It is zero if the infrastructure is
	// not checked periodically.
	DriftCheck time.Time
	// Digest is the digest of the infrastructure for which the last plan found no changes, or empty.
	Digest string
	// Unchanged means that the infrastructure is the same as when the last plan found no changes. FullCheck is when a plan is made
	// nevertheless.
	Unchanged bool
	FullCheck time.Time
	// UpgradeCheck is when to check a target after an upgrade of CAPNT that changed the version of digests. Digests of different versions
	// cannot be compared. Therefore, until the check, Current and not Applied determines whether the workspace has changed. UpgradeCheck is
	// zero if Applied and Rendered have the same version.
	UpgradeCheck time.Time
	// Plan is the recorded plan, or nil. Decision is the decision about this plan.
	Plan     *plan.Record
	Decision plan.Decision
	// DecideAt is when the decision can change without an event, and PlanExpires is when the plan has waited too long. Both are zero if
	// there is no such time.
	DecideAt, PlanExpires time.Time
}

// Failure describes a failed run.
type Failure struct {
	// Rendered is the digest of the workspace that the failed run used. If the workspace has changed since, the next run does not wait until
	// RetryAt.
	Rendered string
	// RetryAt is the time of the retry. It is zero if the last run did not fail.
	RetryAt time.Time
	// LockHeld says that the run failed because another process holds the lock of the Terraform state.
	LockHeld bool
}

// Determine returns the state of a target. It has no side effects. Only this function decides whether a target needs an action.
func Determine(o Observed) State {
	state := determine(o)
	if startsRun := state == NoPlan || state == PlanStale || state == Approved; startsRun && o.NoPlan != nil && !o.Deleting {
		return Held
	}
	return state
}

func determine(o Observed) State {
	switch {
	case o.Running:
		return Running
	case o.backingOff() && o.Failure.LockHeld:
		return Locked
	case o.backingOff():
		return Failed
	case o.retaining():
		return Retaining
	case o.planFits():
		return determinePlanned(o)
	case o.nothingToDo():
		return InSync
	case o.Plan != nil:
		return PlanStale
	default:
		return NoPlan
	}
}

func determinePlanned(o Observed) State {
	switch {
	case o.Decision == plan.Approved:
		return Approved
	case o.checkDue(), o.holdEnded(), o.planExpired():
		return PlanStale
	case o.Decision == plan.Denied:
		return Denied
	case o.Plan.Cause == plan.CauseDrift:
		return Drifted
	default:
		return AwaitingDecision
	}
}

// planExpired reports whether the recorded plan has waited too long.
func (o Observed) planExpired() bool { return !o.PlanExpires.IsZero() && !o.Now.Before(o.PlanExpires) }

// untilDecision returns how long it takes until a waiting plan is decided or planned again even without an event. Zero means that only an
// event requires the next step.
func (o Observed) untilDecision() time.Duration {
	next := o.untilCheck()
	for _, at := range []time.Time{o.DecideAt, o.PlanExpires} {
		if until := max(at.Sub(o.Now), time.Second); !at.IsZero() && (next == 0 || until < next) {
			next = until
		}
	}
	return next
}

// holdEnded reports whether the recorded plan was put on hold for a reason that no longer applies.
func (o Observed) holdEnded() bool {
	return o.Plan.Hold != nil && o.UpdatesObserved && o.NoUpdate == nil
}

// backingOff reports whether the last run of the present workspace failed and its retry is not due yet.
func (o Observed) backingOff() bool {
	return o.Failure.Rendered == o.Rendered && o.Now.Before(o.Failure.RetryAt)
}

// retaining reports whether the workspace has to be exported before the object can be deleted.
func (o Observed) retaining() bool { return o.Deleting && o.Retain && !o.Retained }

// planFits reports whether the recorded plan was made for the present workspace and for the present purpose (update or destroy).
func (o Observed) planFits() bool {
	return o.Plan != nil && !o.Retain && o.Plan.WorkspaceDigest == o.Rendered && o.Plan.Destroy == o.Deleting
}

func (o Observed) nothingToDo() bool {
	if o.Deleting {
		return o.Destroyed || o.Retain
	}
	return o.unchanged() && !o.Unfinished && !o.checkDue()
}

// unchanged reports whether the present workspace is the one that was applied. If the workspace has not been rendered, unchanged returns
// false while a plan is recorded, because it cannot tell whether the plan is for the present workspace.
func (o Observed) unchanged() bool {
	switch {
	case o.Rendered == "":
		return o.Current && o.Plan == nil
	case !o.UpgradeCheck.IsZero():
		return o.Current
	default:
		return o.Applied == o.Rendered
	}
}
