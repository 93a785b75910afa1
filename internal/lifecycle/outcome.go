package lifecycle

import (
	"encoding/json"

	"github.com/capnt/capnt/internal/plan"
)

// outcome is the result of one run. The types in this file implement it.
type outcome interface{ isOutcome() }

// failed is the outcome of a run that ended with an error before an apply succeeded.
type failed struct {
	err error
	// applying is the record of the plan whose apply failed, or nil if the run failed before the apply.
	applying *plan.Record
}

// planned is the outcome of a run that recorded a plan. approved is true if the plan may be applied at once. In this case, workspace is the
// workspace of the run.
type planned struct {
	plan      plan.Stored
	approved  bool
	workspace *openWorkspace
}

// resumed is the outcome of a run that found a plan that an earlier process has recorded.
type resumed struct{ plan plan.Stored }

// unchanged is the outcome of a run whose plan contains no changes. digest is the digest of the infrastructure that was planned.
type unchanged struct {
	readBack
	digest string
}

// applied is the outcome of a run that applied the recorded plan and then read the state.
type applied struct {
	record *plan.Record
	readBack
}

// unread is the outcome of a run that applied the recorded plan but could not read the state afterwards.
type unread struct {
	record *plan.Record
	err    error
}

// destroyed is the outcome of a run after which no infrastructure is left to destroy.
type destroyed struct {
	// record is the record of the applied destroy plan, or nil if there was nothing to destroy.
	record *plan.Record
}

// destroyedSome is the outcome of a run that applied a destroy plan, after which more infrastructure is left to destroy. The target is
// planned again at once.
type destroyedSome struct{ record *plan.Record }

// retained is the outcome of a run after which the workspace of an object that is being deleted is exported and its infrastructure stays.
type retained struct{}

// postponed is the outcome of a run that did not apply the recorded plan because the infrastructure is not ready. The plan stays recorded
// and is applied later.
type postponed struct {
	record *plan.Record
	err    error
}

// withheld is the outcome of a run that did not apply the recorded plan because the plan is not approved any more. The plan stays
// recorded.
type withheld struct{ plan plan.Stored }

// expired is the outcome for a plan that waited too long for a decision. The target is planned again.
type expired struct{}

// superseded is the outcome of a run that stopped because its plan or its workspace is outdated. The target is planned again at once.
type superseded struct{ reason string }

// unlocked is the outcome of a run that removed a stale lock. The target is planned again at once.
type unlocked struct{ lock string }

// onHold is the outcome of a run that found that the infrastructure must not be changed now.
type onHold struct{ hold plan.Hold }

// readBack contains what a run read from the state when the infrastructure matched the workspace.
type readBack struct {
	applied Applied
	// outputs maps the names of the workspace's outputs to their values.
	outputs map[string]json.RawMessage
}

func (failed) isOutcome()        {}
func (planned) isOutcome()       {}
func (resumed) isOutcome()       {}
func (withheld) isOutcome()      {}
func (expired) isOutcome()       {}
func (unchanged) isOutcome()     {}
func (applied) isOutcome()       {}
func (unread) isOutcome()        {}
func (destroyed) isOutcome()     {}
func (superseded) isOutcome()    {}
func (unlocked) isOutcome()      {}
func (onHold) isOutcome()        {}
func (destroyedSome) isOutcome() {}
func (retained) isOutcome()      {}
func (postponed) isOutcome()     {}

// errorOf returns the error of an outcome, or nil.
func errorOf(o outcome) error {
	switch o := o.(type) {
	case failed:
		return o.err
	case unread:
		return o.err
	case postponed:
		return o.err
	default:
		return nil
	}
}
