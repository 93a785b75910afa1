package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// Pipeline takes targets through plan, record, decide, apply and read back.
type Pipeline struct {
	// Engine opens Terraform workspaces.
	Engine Engine
	// Gateway opens the sessions through which runs reach Prism Central.
	Gateway Gateway
	// Pool executes the runs.
	Pool *Pool
	// States stores the states of targets whose backend is kubernetes.
	States States
	// Holders recognises locks of dead runs of this installation. If it is nil, no lock of another backend is broken.
	Holders *Holders
	Clock   clock.PassiveClock
	// TerraformVersion and ProviderVersion are recorded with every plan. ProviderVersion applies to targets without a version of
	// their own.
	TerraformVersion, ProviderVersion string

	plans    *plan.Store
	memories *memories
}

// Engine opens Terraform workspaces. terraform.Terraform implements it.
type Engine interface {
	Open(ctx context.Context, options terraform.RunOptions) (Workspace, error)
}

// Workspace is an open Terraform workspace. terraform.Run implements it.
type Workspace interface {
	WriteFile(name string, content []byte) error
	State(ctx context.Context) (*terraform.State, error)
	Plan(ctx context.Context, options terraform.PlanOptions) (*terraform.Plan, error)
	Apply(ctx context.Context, plan []byte) error
	Outputs(ctx context.Context) (map[string]json.RawMessage, error)
	Import(ctx context.Context, address, id string) error
	Forget(ctx context.Context, addresses ...string) error
	Untaint(ctx context.Context, address string) error
	Unlock(ctx context.Context, lockID string) error
	Push(ctx context.Context, state []byte) error
	Pull(ctx context.Context) ([]byte, error)
	Close() error
}

// Gateway opens sessions for runs. gateway.Gateway implements it.
type Gateway interface {
	Open(options gateway.RunOptions) (*gateway.Session, error)
}

// Init initializes a pipeline after its exported fields were set.
func (p *Pipeline) Init() *Pipeline {
	p.plans, p.memories = plan.NewStore(), newMemories()
	return p
}

// Result is the state of a target after a step.
type Result struct {
	State State
	// Plan is the record of the plan that is being applied or waits. Verdict is the decision about it.
	Plan    *plan.Record
	Verdict plan.Verdict
	// Applying says that the run under way applies a plan. Otherwise that run makes a plan.
	Applying bool
	// Retain says that the infrastructure of an object that is being deleted stays.
	Retain bool
	// Applied and Outputs are the results of the last run of this process that read back the state; nil if there was none.
	Applied *Applied
	Outputs map[string]json.RawMessage
	// AppliedBefore says that a plan was applied by this process, or earlier according to the object's status.
	AppliedBefore bool
	// Err is the error of the last run.
	Err error
	// DestroyFailures is how many times this process failed to apply a destroy plan. Failures because of a locked state do not
	// count.
	DestroyFailures int
	// Hold is the reason why nothing is planned or applied; nil if the state is not Held.
	Hold *plan.Hold
	// RetryAfter is the delay before the next step if no event triggers one earlier; zero means that no step is due.
	RetryAfter time.Duration
	// LastPlan is the last plan that this process recorded, and LastApplied the one that it applied last; zero if there was none.
	LastPlan    *plan.Record
	LastApplied time.Time
	// Events are the events since the last step, in order.
	Events []Event
}

// Step takes the one action for the state of the target. It does not wait for a run to end. The pool sends an event for the
// target's kind when a run has ended and the next step is due.
func (p *Pipeline) Step(target Target) Result {
	key := target.Key()
	if target.Retain {
		p.withdrawDestroy(key)
	}
	observed, result := p.observe(target, key)
	result.State = Determine(observed)
	result.Events = p.report(key)
	switch result.State {
	case NoPlan, PlanStale, InSync:
		p.plans.Drop(key)
		result.Plan = nil
		if result.State != InSync && p.submit(target, key, actionPlan, p.planRun) {
			result.State = Running
		}
	case Retaining:
		p.plans.Drop(key)
		result.Plan = nil
		if p.submit(target, key, actionRetain, p.retainRun) {
			result.State = Running
		}
	case Approved:
		if p.submit(target, key, actionApply, p.applyRun) {
			result.State, result.Applying = Running, true
		}
	case AwaitingDecision, Denied, Drifted:
		result.RetryAfter = observed.untilCheck()
	case Locked, Failed:
		result.RetryAfter = observed.Failure.RetryAt.Sub(observed.Now)
	case Held:
		result.Hold = observed.NoPlan
		if target.Observation == nil {
			result.RetryAfter = observed.Failure.RetryAt.Sub(observed.Now)
		}
	case Running:
	}
	if slices.Contains([]State{NoPlan, PlanStale, Retaining, Approved}, result.State) {
		result.RetryAfter = backoffBase // the pool is stopping, or a run of this target has not ended yet
	}
	return result
}

// Idle reports whether a step for the target would do and report nothing. The target needs no rendered workspace, so an object
// with nothing to do needs no look-ups in Prism Central.
func (p *Pipeline) Idle(target Target) bool {
	key := target.Key()
	observed, _ := p.observe(target, key)
	idle := Determine(observed) == InSync
	p.memories.with(key, func(m *memory) { idle = idle && m.reported })
	return idle
}

// Forget removes all memory of a target whose object is deleted.
func (p *Pipeline) Forget(target Target) {
	p.plans.Drop(target.Key())
	p.memories.forget(target.Key())
}

// observe gathers the facts for Determine, and the parts of the result that do not depend on the state.
func (p *Pipeline) observe(target Target, key string) (Observed, Result) {
	observed := Observed{
		Now:           p.Clock.Now(),
		Deleting:      target.Deleting(),
		Retain:        target.Retain,
		Rendered:      target.Workspace.Digest,
		Applied:       target.Remembered.Applied.WorkspaceDigest,
		Current:       target.Remembered.Current,
		Running:       p.Pool.Running(key),
		Unfinished:    target.Remembered.Unfinished,
		Checked:       target.Remembered.Checked,
		CheckInterval: target.CheckInterval,
	}
	var result Result
	p.memories.with(key, func(m *memory) {
		m.observe(&observed)
		if target.Remembered.Outdated && m.checked.IsZero() {
			observed.UpgradeCheck = upgradeCheck(key, m.since, target.CheckInterval)
		}
		result = Result{Applied: m.applied, Outputs: m.outputs, Err: m.err, LastPlan: m.lastPlan, LastApplied: m.appliedAt,
			DestroyFailures: m.destroyFailures, Retain: target.Retain}
	})
	if seen := target.Observation; seen != nil {
		observed.NoPlan, observed.NoUpdate, observed.UpdatesObserved = seen.NoPlan, seen.NoUpdate, true
	}
	result.AppliedBefore = observed.Applied != ""
	if stored, ok := p.plans.Get(key); ok {
		result.Plan = &stored.Record
		result.Verdict = plan.Decide(stored.Record, target.Deleting())
		observed.Plan, observed.Decision = result.Plan, result.Verdict.Decision
	}
	return observed, result
}

// report returns the events that no step has reported yet.
func (p *Pipeline) report(key string) []Event {
	var events []Event
	p.memories.with(key, func(m *memory) { events, m.events, m.reported = m.events, nil, true })
	return events
}

// withdrawDestroy withdraws a queued run that would destroy infrastructure that has to stay.
func (p *Pipeline) withdrawDestroy(key string) {
	action := ""
	p.memories.with(key, func(m *memory) { action = m.action })
	if action != actionRetain {
		p.Pool.Withdraw(key)
	}
}

func (p *Pipeline) submit(target Target, key, action string, run func(ctx context.Context, target Target) outcome) bool {
	submitted := p.Pool.Submit(target.Kind, key, target.Object, func(ctx context.Context) {
		begin := p.Clock.Now()
		o := withoutPanic(ctx, target, run)
		logRun(log.FromContext(ctx), target, action, o, p.Clock.Now().Sub(begin))
		if errors.Is(errorOf(o), context.Canceled) && ctx.Err() != nil {
			return // the manager is stopping; the next one plans again
		}
		switch o := o.(type) {
		case planned:
			p.plans.Put(key, o.plan)
		case postponed:
		default:
			p.plans.Drop(key)
		}
		p.memories.with(key, func(m *memory) { m.remember(o, target.Workspace.Digest, p.Clock.Now()) })
	})
	if submitted {
		p.memories.with(key, func(m *memory) { m.action = action })
	}
	return submitted
}

// withoutPanic converts a panic of a run into a failure. Otherwise a panic in the run of one object would stop the manager.
func withoutPanic(ctx context.Context, target Target, run func(ctx context.Context, target Target) outcome) (o outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			log.FromContext(ctx).Error(fmt.Errorf("panic: %v", cause), "A Terraform run panicked", "target", target.Key(), "stack", string(debug.Stack()))
			o = failed{err: errors.New("running Terraform: the manager panicked, which is a bug; its log says where")}
		}
	}()
	return run(ctx, target)
}
