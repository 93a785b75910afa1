// Package lifecycle contains the pipeline that all kinds share. It takes a rendered workspace through plan, record, decide, apply
// and read back. Determine names the state of a target, and a step of the pipeline takes the one action for that state.
package lifecycle

import (
	"time"

	"github.com/capnt/capnt/internal/plan"
)

// State is the state of a target in the pipeline.
type State string

// States of a target. A target is in exactly one of them.
const (
	// NoPlan means that something may have to change and that no plan has been made.
	NoPlan State = "NoPlan"
	// PlanStale means that the recorded plan is for another workspace or another purpose, or has waited too long.
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
	// InSync means that there is nothing to do. A target that is being deleted has nothing left to destroy.
	InSync State = "InSync"
	// Drifted means that the recorded plan reverts a change that was made outside of Terraform, and waits for a decision.
	Drifted State = "Drifted"
	// Held means that something may have to change but the infrastructure must not be changed now.
	Held State = "Held"
	// Retaining means that the object is being deleted, its infrastructure stays, and its workspace is not exported yet.
	Retaining State = "Retaining"
	// Failed means that the last run failed and that its retry is not due.
	Failed State = "Failed"
)

// Observed contains all facts from which Determine derives the state.
type Observed struct {
	// Now is the current time.
	Now time.Time
	// Deleting says that the object is being deleted.
	Deleting bool
	// Rendered is the digest of the present workspace. It is empty if the workspace was not rendered.
	Rendered string
	// Applied is the digest of the workspace that was applied last. Current says that the present workspace would have the same
	// digest.
	Applied string
	Current bool
	// Destroyed says that a run has confirmed that no infrastructure is left to destroy.
	Destroyed bool
	// Retain says that the infrastructure of an object that is being deleted stays. Retained says that its workspace is exported.
	Retain, Retained bool
	// Running says that a run of the target is queued or under way.
	Running bool
	// NoPlan is the reason why nothing is planned or applied now; nil if nothing prevents it.
	NoPlan *plan.Hold
	// NoUpdate is the reason why updates wait; nil if nothing prevents them. UpdatesObserved says that NoUpdate is known.
	NoUpdate        *plan.Hold
	UpdatesObserved bool
	// Failure describes the last run if it failed.
	Failure Failure
	// Unfinished says that the last run left work to do, because it failed or was superseded.
	Unfinished bool
	// Checked is the time of the last comparison of infrastructure and workspace. CheckInterval is the time between two
	// comparisons; zero means never.
	Checked       time.Time
	CheckInterval time.Duration
	// UpgradeCheck is the time of the check of a workspace whose Applied has another version than Rendered. Until then Current
	// says whether the workspace is unchanged. Zero means that the versions are equal.
	UpgradeCheck time.Time
	// Plan is the recorded plan, or nil. Decision is the decision about it.
	Plan     *plan.Record
	Decision plan.Decision
}

// Failure describes a failed run.
type Failure struct {
	// Rendered is the digest of the workspace whose run failed. A changed workspace does not wait for the retry.
	Rendered string
	// RetryAt is the time of the retry; zero if the last run did not fail.
	RetryAt time.Time
	// LockHeld says that the run failed because another process holds the lock of the Terraform state.
	LockHeld bool
}

// Determine returns the state of a target. It has no side effects. No other function decides whether there is anything to do.
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
	switch o.Decision {
	case plan.Approved:
		return Approved
	case plan.Denied:
		return Denied
	case plan.Waiting:
	}
	switch {
	case o.checkDue(), o.holdEnded():
		return PlanStale
	case o.Plan.Cause == plan.CauseDrift:
		return Drifted
	default:
		return AwaitingDecision
	}
}

// holdEnded reports whether the recorded plan waits for a reason that no longer applies.
func (o Observed) holdEnded() bool {
	return o.Plan.Hold != nil && o.UpdatesObserved && o.NoUpdate == nil
}

// backingOff reports whether the last run of this workspace failed and its retry is not due yet.
func (o Observed) backingOff() bool {
	return o.Failure.Rendered == o.Rendered && o.Now.Before(o.Failure.RetryAt)
}

// retaining reports whether the workspace still has to be exported before the object is deleted.
func (o Observed) retaining() bool { return o.Deleting && o.Retain && !o.Retained }

// planFits reports whether the recorded plan is for the present workspace and purpose.
func (o Observed) planFits() bool {
	return o.Plan != nil && !o.Retain && o.Plan.WorkspaceDigest == o.Rendered && o.Plan.Destroy == o.Deleting
}

func (o Observed) nothingToDo() bool {
	if o.Deleting {
		return o.Destroyed || o.Retain
	}
	return o.unchanged() && !o.Unfinished && !o.checkDue()
}

// unchanged reports whether the present workspace is the one that was applied. Without a rendered workspace it cannot compare a
// recorded plan with it.
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
