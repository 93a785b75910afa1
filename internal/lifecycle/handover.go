package lifecycle

import (
	"context"
	"time"
)

// stepTime limits how long a run waits for the step that decides about its plan. A reconcile usually takes some milliseconds. If the step
// comes later, the run has ended, and another run applies the plan.
const stepTime = 10 * time.Second

// awaitStep waits for the step that decides about the plan that the run of the target has made. It reports whether the run applies the
// plan. An apply in the same run needs no second init and uses the same provider process.
func (p *Pipeline) awaitStep(ctx context.Context, key string) bool {
	approved := make(chan bool, 1)
	p.memories.with(key, func(m *memory) { m.approved = approved })
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	p.Scheduler.Announce(ctx, key)
	select {
	case <-ctx.Done():
		p.endWaitingRun(key)
		return <-approved // a step may have decided at the same time
	case apply := <-approved:
		return apply
	}
}

// continueRun lets a run that waits for a step apply its plan. It returns false if no run of the target waits, or if there is not enough
// memory for another apply.
func (p *Pipeline) continueRun(key string) (continued bool) {
	p.memories.with(key, func(m *memory) {
		if m.approved != nil && p.Scheduler.StartWaiting(key) {
			m.approved <- true
			m.approved, m.action, continued = nil, actionApply, true
		}
	})
	return continued
}

// endWaitingRun ends a run that waits for a step. It returns false if no run of the target waits.
func (p *Pipeline) endWaitingRun(key string) (ending bool) {
	p.memories.with(key, func(m *memory) {
		if m.approved != nil {
			m.approved <- false
			m.approved, ending = nil, true
		}
	})
	return ending
}
