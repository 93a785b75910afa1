package lifecycle

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/log"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// decide decides about the recorded plan of the target, if there is one. A target without a rendered workspace needs no decision.
func (p *Pipeline) decide(ctx context.Context, target Target, observed *Observed, result *Result) {
	stored := p.recorded(target.Key())
	if stored == nil || target.Workspace.Digest == "" {
		return
	}
	verdict, err := p.Approvals.Decide(ctx, *stored, target.approval())
	if err != nil {
		log.FromContext(ctx).Error(err, "Failed to decide about a plan", "plan", stored.Key())
		verdict = plan.Verdict{Decision: plan.Waiting, Reason: err.Error(), WaitingFor: []string{err.Error()}, Until: observed.Now.Add(backoffBase)}
	}
	observed.Decision, observed.DecideAt, observed.PlanExpires = verdict.Decision, verdict.Until, stored.Record.Time.Add(target.maxAge())
	verdict.Expires = observed.PlanExpires
	result.Verdict = verdict
}

// claim claims the decisions for a plan that has waited and is now approved, before the phase Approved is written. The cache can show a
// decision whose uses other plans have just claimed. The plan then goes on waiting. claim reports whether the verdict can be published. If
// not, the run that applies the plan claims the decisions.
func (p *Pipeline) claim(ctx context.Context, target Target, observed *Observed, result *Result) bool {
	stored := p.recorded(target.Key())
	if result.State != Approved || stored == nil || !hasWaited(*stored) {
		return true
	}
	verdict, err := p.Approvals.Claim(ctx, *stored, target.approval())
	if err != nil {
		log.FromContext(ctx).Error(err, "Failed to claim the decisions about a plan", "plan", stored.Key())
		return false
	}
	observed.Decision, observed.DecideAt, verdict.Expires = verdict.Decision, verdict.Until, observed.PlanExpires
	result.Verdict = verdict
	result.State = Determine(*observed)
	return true
}

// hasWaited reports whether a plan waits or is denied. Only such a plan enters the phase Approved.
func hasWaited(stored plan.Stored) bool {
	phase := stored.Object.Status.Phase
	return phase == infrav1.PlanPhaseWaiting || phase == infrav1.PlanPhaseDenied
}

// publishVerdict writes the phase of a plan that waits, is denied, or is approved after it has waited. The phases of other plans are
// written by their runs.
func (p *Pipeline) publishVerdict(ctx context.Context, key string, result Result) {
	stored := p.recorded(key)
	if stored == nil {
		return
	}
	var phase infrav1.PlanPhase
	switch result.State {
	case AwaitingDecision, Drifted:
		phase = infrav1.PlanPhaseWaiting
	case Denied:
		phase = infrav1.PlanPhaseDenied
	case Approved:
		if !hasWaited(*stored) {
			return
		}
		phase = infrav1.PlanPhaseApproved
	case NoPlan, PlanStale, Running, Locked, InSync, Held, Retaining, Failed:
		return
	}
	if stored.Published(phase, result.Verdict) {
		return
	}
	written, err := p.Plans.SetPhase(ctx, *stored, phase, result.Verdict.Reason, result.Verdict)
	switch {
	case errors.Is(err, plan.ErrDeleted):
		p.memories.with(key, func(m *memory) { m.dropped = superseded{err.Error()} })
	case err != nil:
		log.FromContext(ctx).Error(err, "Failed to write the phase of a plan")
	default:
		p.memories.with(key, func(m *memory) { m.entered(written, stored.Object.Status, result.Verdict) })
	}
}

// beginApply decides about a plan for the last time and writes that its apply begins. If the plan must not be applied, it returns the
// outcome with which the run ends.
func (p *Pipeline) beginApply(ctx context.Context, target Target, stored plan.Stored) (plan.Stored, outcome) {
	verdict, err := p.Approvals.Claim(ctx, stored, target.approval())
	if err != nil {
		return stored, failed{err: err}
	}
	if verdict.Decision != plan.Approved {
		stored, err := p.Plans.SaveFile(ctx, stored, target.texts())
		if err != nil {
			return stored, failed{err: err}
		}
		return stored, withheld{stored}
	}
	written, err := p.Plans.SetPhase(ctx, stored, infrav1.PlanPhaseApplying, verdict.Reason, verdict)
	switch {
	case errors.Is(err, plan.ErrDeleted):
		return stored, superseded{err.Error()}
	case err != nil:
		return stored, failed{err: err}
	}
	p.memories.with(target.Key(), func(m *memory) { m.entered(written, stored.Object.Status, verdict) })
	return written, nil
}
