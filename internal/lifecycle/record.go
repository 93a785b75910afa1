package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// maxAge returns how long a plan waits before it is planned again.
func (t Target) maxAge() time.Duration {
	return cmp.Or(t.Approval.Rules.MaxAge, infrav1.DefaultApprovalMaxAge)
}

// planTarget returns the target of a plan.
func (t Target) planTarget() infrav1.PlanTarget {
	target := infrav1.PlanTarget{
		Key:        cmp.Or(t.Object.GetAnnotations()[infrav1.WorkspaceKeyAnnotation], string(t.Object.GetUID())),
		Kind:       t.Kind,
		Namespace:  t.Object.GetNamespace(),
		Name:       t.Object.GetName(),
		Generation: t.Object.GetGeneration(),
	}
	if machine, isMachine := t.Object.(*infrav1.NutanixMachine); isMachine {
		target.VMUUID = machine.Status.VMUUID
	}
	return target
}

// approval returns the facts about the target that decide about its plans.
func (t Target) approval() plan.Context {
	about := t.Approval
	about.Deleting = t.Deleting()
	return about
}

// recorded returns the recorded plan of a target, or nil if the target has no plan that may be applied.
func (p *Pipeline) recorded(key string) (stored *plan.Stored) {
	p.memories.with(key, func(m *memory) {
		if m.dropped == nil {
			stored = m.plan
		}
	})
	return stored
}

// recordPlan records a plan and decides about it. If the plan waits, its file is stored.
func (p *Pipeline) recordPlan(ctx context.Context, target Target, record plan.Record, file []byte) outcome {
	stored, err := p.Plans.Record(ctx, record, file)
	if err != nil {
		return failed{err: err}
	}
	verdict, err := p.Approvals.Decide(ctx, stored, target.approval())
	if err == nil && verdict.Decision != plan.Approved {
		stored, err = p.Plans.SaveFile(ctx, stored, target.texts())
	}
	if err != nil {
		p.finish(ctx, target, stored, failed{err: err})
		return failed{err: err}
	}
	return planned{plan: stored, approved: verdict.Decision == plan.Approved}
}

// resume returns the plan that an earlier process has recorded for the target, if the plan may still be applied, and nil otherwise. It
// closes all other plans of the target. It does so once per target and process.
func (p *Pipeline) resume(ctx context.Context, target Target, workspace Workspace) (*plan.Stored, error) {
	done := false
	p.memories.with(target.Key(), func(m *memory) { done = m.resumed })
	if done {
		return nil, nil
	}
	open, err := p.Plans.Open(ctx, target.planTarget(), target.Deleting(), target.texts())
	if err != nil {
		return nil, err
	}
	var usable *plan.Stored
	for _, stored := range open {
		o, err := p.inspect(ctx, target, workspace, stored)
		switch {
		case err != nil:
			return nil, err
		case o == nil && usable == nil:
			usable = &stored
			continue
		case o == nil:
			o = superseded{fmt.Sprintf("plan %s replaces it", usable.Key())}
		}
		if err := p.close(ctx, stored, o); err != nil {
			return nil, err
		}
		p.rememberFailed(target, stored, o)
	}
	p.memories.with(target.Key(), func(m *memory) { m.resumed = true })
	return usable, nil
}

// errInterrupted is the error of an apply during which the manager ended.
var errInterrupted = errors.New("the manager ended while it applied the plan: the next plan contains what the apply has not done")

// inspect returns nil if a plan that an earlier process has recorded may still be applied. Otherwise it returns the outcome that
// determines the final phase of the plan.
func (p *Pipeline) inspect(ctx context.Context, target Target, workspace Workspace, stored plan.Stored) (outcome, error) {
	switch {
	case stored.Object.Status.Phase == infrav1.PlanPhaseApplying:
		return failed{err: errInterrupted, applying: &stored.Record}, nil
	case stored.Unsigned:
		return superseded{"the signature of the plan is not valid: somebody other than the manager has written it"}, nil
	case !p.Clock.Now().Before(stored.Record.Time.Add(target.maxAge())):
		return expired{}, nil
	case !stored.Saved && stored.Object.Status.Phase == infrav1.PlanPhaseWaiting:
		return superseded{"the plan file was removed: there is no Secret " + stored.Object.Spec.File.SecretName}, nil
	case !stored.Saved, stored.Record.Destroy != target.Deleting():
		return superseded{"the manager restarted, and the object is planned again"}, nil
	}
	present, err := workspace.State(ctx)
	if err != nil {
		return nil, err
	}
	o := p.verify(ctx, target, stored, present)
	if failure, isFailure := o.(failed); isFailure {
		return nil, failure.err // the plan is inspected again
	}
	return o, nil
}

// drop makes sure that the recorded plan of a target is not applied any more.
func (p *Pipeline) drop(key string, observed Observed) {
	p.memories.with(key, func(m *memory) {
		switch {
		case m.plan == nil || m.dropped != nil:
		case observed.planExpired():
			m.dropped = expired{}
		default:
			m.dropped = superseded{"the object is planned again"}
		}
	})
}

// closeDropped closes the plan of a target that needs no plan any more.
func (p *Pipeline) closeDropped(ctx context.Context, target Target) {
	var stored *plan.Stored
	p.memories.with(target.Key(), func(m *memory) { stored, m.plan, m.dropped = m.plan, nil, nil })
	if stored != nil {
		p.finish(ctx, target, *stored, unchanged{})
	}
}

// keepPlan remembers the plan that a run with the outcome o has recorded, and closes the plan that the run has applied or superseded.
func (p *Pipeline) keepPlan(ctx context.Context, target Target, o outcome) {
	var kept, before *plan.Stored
	var dropped outcome
	switch o := o.(type) {
	case planned:
		kept = &o.plan
	case resumed:
		kept = &o.plan
	case withheld:
		kept = &o.plan
	case postponed:
		return
	}
	p.memories.with(target.Key(), func(m *memory) {
		before, dropped = m.plan, m.dropped
		m.plan, m.dropped = kept, nil
	})
	switch o.(type) {
	case unchanged, applied, destroyed: // nothing is left to do
		p.completeFailed(ctx, target)
	}
	if before == nil || kept != nil && kept.Object.UID == before.Object.UID {
		return
	}
	if _, isExpired := dropped.(expired); isExpired {
		o = dropped
	}
	p.finish(ctx, target, *before, o)
	p.rememberFailed(target, *before, o)
}

// rememberFailed remembers a plan whose apply failed. The approval of the plan remains valid for the rest of its changes.
func (p *Pipeline) rememberFailed(target Target, stored plan.Stored, o outcome) {
	if failure, ok := o.(failed); ok && failure.applying != nil {
		p.memories.with(target.Key(), func(m *memory) { m.failedPlan = &stored })
	}
}

// completeFailed uses up the approval of a plan whose apply failed, because nothing of the plan is left to do. Otherwise the approval would
// let the same change pass once more later.
func (p *Pipeline) completeFailed(ctx context.Context, target Target) {
	var stored *plan.Stored
	p.memories.with(target.Key(), func(m *memory) { stored, m.failedPlan = m.failedPlan, nil })
	if stored != nil {
		p.complete(ctx, target, *stored)
	}
}

// complete uses up the decisions that approved a plan. If this fails, it is repeated after the next run that leaves nothing to change.
func (p *Pipeline) complete(ctx context.Context, target Target, stored plan.Stored) {
	if err := p.Approvals.Complete(ctx, stored); err != nil {
		log.FromContext(ctx).Error(err, "Failed to record that a decision is used", "plan", stored.Key())
		p.memories.with(target.Key(), func(m *memory) { m.failedPlan = &stored })
	}
}

// close writes the final phase of a plan whose fate is the outcome o. A plan that was deleted needs no phase.
func (p *Pipeline) close(ctx context.Context, stored plan.Stored, o outcome) error {
	phase, message := finalPhase(o)
	_, err := p.Plans.SetPhase(ctx, stored, phase, message, plan.Verdict{})
	if err != nil && !errors.Is(err, plan.ErrDeleted) {
		return err
	}
	if stored.Object.Status.Phase == infrav1.PlanPhaseApproved { // its apply has not begun
		if err := p.Approvals.Release(ctx, stored); err != nil {
			log.FromContext(ctx).Error(err, "Failed to release the decisions about a plan")
		}
	}
	return nil
}

// closing is how often, and with which pauses, a run tries to write the final phase of a plan.
var closing = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 6}

// finish closes a plan. If the API server does not accept the final phase, the next run of the target closes the plan.
func (p *Pipeline) finish(ctx context.Context, target Target, stored plan.Stored, o outcome) {
	ctx = context.WithoutCancel(ctx)
	if phase, _ := finalPhase(o); phase == infrav1.PlanPhaseApplied {
		p.complete(ctx, target, stored)
	}
	var last error
	_ = wait.ExponentialBackoffWithContext(ctx, closing, func(ctx context.Context) (bool, error) {
		last = p.close(ctx, stored, o)
		return last == nil, nil
	})
	if last != nil {
		log.FromContext(ctx).Error(last, "Failed to write the result of a plan; the next run tries again", "plan", stored.Key())
		p.memories.with(target.Key(), func(m *memory) { m.resumed = false })
	}
}

// finalPhase returns the final phase of a plan whose fate is the outcome o, and a message that explains the phase.
func finalPhase(o outcome) (phase infrav1.PlanPhase, message string) {
	switch o := o.(type) {
	case applied, destroyedSome, unread:
		return infrav1.PlanPhaseApplied, ""
	case destroyed:
		if o.record == nil { // the run has applied no plan
			return infrav1.PlanPhaseSuperseded, "nothing is left to destroy"
		}
		return infrav1.PlanPhaseApplied, ""
	case failed:
		if o.applying != nil {
			return infrav1.PlanPhaseFailed, o.err.Error()
		}
		return infrav1.PlanPhaseSuperseded, "it was not applied: " + o.err.Error()
	case expired:
		return infrav1.PlanPhaseExpired, "it waited for longer than spec.terraform.approval.maxAge"
	case superseded:
		return infrav1.PlanPhaseSuperseded, o.reason
	case planned:
		return infrav1.PlanPhaseSuperseded, fmt.Sprintf("plan %s replaces it", o.plan.Key())
	case unchanged:
		return infrav1.PlanPhaseSuperseded, "nothing is left to change"
	default:
		return infrav1.PlanPhaseSuperseded, "the object is planned again"
	}
}

// PlanDeleted makes sure that a plan whose NutanixPlan was deleted is not applied. Its target is planned again.
func (p *Pipeline) PlanDeleted(object *infrav1.NutanixPlan) {
	p.memories.each(func(m *memory) {
		if m.plan != nil && m.plan.Object.UID == object.UID {
			m.dropped = superseded{plan.ErrDeleted.Error()}
		}
	})
}
