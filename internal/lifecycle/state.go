// Package lifecycle is the pipeline that all kinds share: from a rendered workspace over a recorded plan to applied
// infrastructure. It determines one named state purely and then takes the one step that the state asks for.
package lifecycle

import "github.com/capnt/capnt/internal/plan"

// State is where a target stands in the pipeline.
type State string

// The states. A target is in exactly one of them.
const (
	// NoPlan: something may have to change and no plan says what.
	NoPlan State = "NoPlan"
	// PlanStale: the recorded plan was made for another workspace or another intention.
	PlanStale State = "PlanStale"
	// AwaitingDecision: the recorded plan waits for a person.
	AwaitingDecision State = "AwaitingDecision"
	// Denied: the recorded plan must not be applied.
	Denied State = "Denied"
	// Approved: the recorded plan may be applied.
	Approved State = "Approved"
	// Running: a Terraform run is under way.
	Running State = "Running"
	// Locked: somebody else holds the lock of the Terraform state.
	Locked State = "Locked"
	// InSync: what was rendered is what was applied. For a target that is being deleted: nothing is left to destroy.
	InSync State = "InSync"
	// Drifted: the recorded plan undoes a change made outside of Terraform and waits for a person.
	Drifted State = "Drifted"
	// Lost: the infrastructure disappeared behind our back and is not made again.
	Lost State = "Lost"
	// Failed: the last run failed and is not repeated yet.
	Failed State = "Failed"
)

// Observed is everything that Determine looks at.
type Observed struct {
	// Deleting says that the object is being deleted.
	Deleting bool
	// Rendered and Applied are digests of the workspace: as it is rendered now and as it was applied last.
	Rendered, Applied string
	// Destroyed says that a run has found nothing left to destroy.
	Destroyed bool
	// Running says that a run of the target is under way.
	Running bool
	// Lost says that the infrastructure disappeared.
	Lost bool
	// BackingOff says that the last run failed and its retry is not due; LockHeld that a foreign lock was the cause.
	BackingOff, LockHeld bool
	// Unsettled says that the last run failed or was superseded: what it was for is still to be done.
	Unsettled bool
	// CheckDue says that it is time to look for drift.
	CheckDue bool
	// Plan is the recorded plan, if there is one, and Decision what was decided about it.
	Plan     *plan.Record
	Decision plan.Decision
}

// Determine returns the state of a target. It has no side effect.
func Determine(o Observed) State {
	switch {
	case o.Running:
		return Running
	case o.Lost && !o.Deleting:
		return Lost
	case o.BackingOff && o.LockHeld:
		return Locked
	case o.BackingOff:
		return Failed
	case o.Plan != nil:
		return determinePlanned(o)
	case o.Deleting && o.Destroyed:
		return InSync
	case o.Deleting:
		return NoPlan
	case o.Applied == o.Rendered && !o.CheckDue && !o.Unsettled:
		return InSync
	default:
		return NoPlan
	}
}

func determinePlanned(o Observed) State {
	if o.Plan.WorkspaceDigest != o.Rendered || o.Plan.Destroy != o.Deleting {
		return PlanStale
	}
	switch o.Decision {
	case plan.Approved:
		return Approved
	case plan.Denied:
		return Denied
	case plan.Waiting:
	}
	switch {
	case o.CheckDue:
		return PlanStale
	case o.Plan.Cause == plan.CauseDrift:
		return Drifted
	default:
		return AwaitingDecision
	}
}
