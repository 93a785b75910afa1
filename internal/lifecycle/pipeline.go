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
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/schedule"
	"github.com/capnt/capnt/internal/terraform"
)

// Pipeline brings the infrastructure of targets to its desired state. For each target it makes a plan, records the plan, decides about
// it, applies it and reads the state.
type Pipeline struct {
	// Engine opens Terraform workspaces.
	Engine Engine
	// Gateway opens the sessions through which runs reach Prism Central.
	Gateway Gateway
	// Scheduler executes runs.
	Scheduler *schedule.Scheduler
	// States stores the states of targets with the kubernetes backend.
	States States
	// Plans stores recorded plans. Approvals decides about them.
	Plans     *plan.Store
	Approvals *plan.Approvals
	// Holders recognizes stale locks of this installation. If it is nil, the pipeline never removes a lock of a backend other than
	// kubernetes.
	Holders *Holders
	Clock   clock.PassiveClock
	// TerraformVersion and ProviderVersion are recorded with every plan. ProviderVersion applies to targets whose own ProviderVersion is
	// empty.
	TerraformVersion, ProviderVersion string
	// OpenTofu means that runs use OpenTofu, which can encrypt states.
	OpenTofu bool
	// UnwrittenDir is a private directory for states that an apply could not write to their backends. Its files match UnwrittenPattern and
	// contain secrets. If it is empty, such states are only in memory.
	UnwrittenDir string

	memories  *memories
	unwritten *unwrittenStates
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

// Init initializes the pipeline. The exported fields must be set before Init is called.
func (p *Pipeline) Init() *Pipeline {
	p.memories, p.unwritten = newMemories(), &unwrittenStates{dir: p.UnwrittenDir}
	return p
}

// Result describes a target after a step.
type Result struct {
	State State
	// Plan is the record of the plan that is being applied or waits for a decision. Verdict is the decision about this plan.
	Plan    *plan.Record
	Verdict plan.Verdict
	// PlanName is the name of the NutanixPlan of Plan.
	PlanName string
	// Applying is true if the current run applies a plan, and false if the current run makes a plan.
	Applying bool
	// Retain means that the object is being deleted but its infrastructure stays.
	Retain bool
	// Applied and Outputs are the results of the last run of this process that read the state, or nil if no run did.
	Applied *Applied
	Outputs map[string]json.RawMessage
	// AppliedBefore is true if a plan was applied by this process or, according to the object, by an earlier one.
	AppliedBefore bool
	// Err is the error of the last run, or nil.
	Err error
	// DestroyFailures is the number of times that this process failed to apply a destroy plan. Failures because of a locked state are not
	// counted.
	DestroyFailures int
	// Hold is the reason why nothing is planned or applied. It is nil unless the state is Held.
	Hold *plan.Hold
	// RetryAfter is the delay after which the next step is needed even without an event. Zero means that only an event requires the next
	// step.
	RetryAfter time.Duration
	// LastPlan is the last plan that this process recorded. LastApplied is the last plan that it applied. Both are nil if there was no such
	// plan.
	LastPlan    *plan.Record
	LastApplied time.Time
	// Checked is the time of the last plan or apply of this process, or zero. Digest is the digest of the infrastructure for which the last
	// plan found no changes.
	Checked time.Time
	Digest  string
	// Events are the events since the last step, in chronological order.
	Events []Event
}

// Step performs the next action for the target, which depends on the target's state. It does not wait for runs to end. When a run has
// ended and the next step is needed, the scheduler sends an event for the target's kind.
func (p *Pipeline) Step(ctx context.Context, target Target) Result {
	key := target.Key()
	if target.Retain {
		p.withdrawDestroy(key)
	}
	observed, result := p.observe(target, key)
	p.decide(ctx, target, &observed, &result)
	result.State = Determine(observed)
	if p.claim(ctx, target, &observed, &result) {
		p.publishVerdict(ctx, key, result)
	}
	result.Events = p.report(key)
	switch result.State {
	case InSync:
		result.Plan = nil
		p.closeDropped(ctx, target)
	case NoPlan, PlanStale:
		p.drop(key, observed)
		result.Plan = nil
		if p.submit(target, observed, actionPlan, p.planRun) {
			result.State = Running
		}
	case Retaining:
		p.drop(key, observed)
		result.Plan = nil
		if p.submit(target, observed, actionRetain, p.retainRun) {
			result.State = Running
		}
	case Approved:
		if p.continueRun(key) || p.submit(target, observed, actionApply, p.applyRun) {
			result.State, result.Applying = Running, true
		}
	case AwaitingDecision, Denied, Drifted:
		result.RetryAfter = observed.untilDecision()
	case Locked, Failed:
		result.RetryAfter = observed.Failure.RetryAt.Sub(observed.Now)
	case Held:
		result.Hold = observed.NoPlan
		if target.Observation == nil {
			result.RetryAfter = observed.Failure.RetryAt.Sub(observed.Now)
		}
	case Running:
	}
	ending := result.State != Running && p.endWaitingRun(key)
	switch needsRun := slices.Contains([]State{NoPlan, PlanStale, Retaining, Approved}, result.State); {
	case needsRun && ending:
		result.State = Running
	case needsRun:
		result.RetryAfter = backoffBase // the scheduler is stopping, or another run of this target has not ended yet
	}
	return result
}

// Running returns the result of a step if a run of the target is queued or under way. Such a step changes nothing, so the target does not
// need a rendered workspace, and controllers can skip look-ups in Prism Central. Otherwise Running returns false and does nothing.
func (p *Pipeline) Running(target Target) (Result, bool) {
	key := target.Key()
	observed, result := p.observe(target, key)
	if result.State = Determine(observed); result.State != Running {
		return Result{}, false
	}
	result.Events = p.report(key)
	return result, true
}

// Idle reports whether a step for the target would do nothing and report nothing. The target does not need a rendered workspace, so
// controllers can skip look-ups in Prism Central for idle objects.
func (p *Pipeline) Idle(target Target) bool {
	key := target.Key()
	observed, _ := p.observe(target, key)
	idle := Determine(observed) == InSync
	p.memories.with(key, func(m *memory) { idle = idle && m.reported })
	return idle
}

// Forget removes everything that this process remembers about a target. Controllers call it when the object is deleted.
func (p *Pipeline) Forget(target Target) {
	p.endWaitingRun(target.Key())
	p.memories.forget(target.Key())
}

// observe collects the facts for Determine. It also returns a Result with the fields that do not depend on the state.
func (p *Pipeline) observe(target Target, key string) (Observed, Result) {
	observed := Observed{
		Now:        p.Clock.Now(),
		Deleting:   target.Deleting(),
		Retain:     target.Retain,
		Rendered:   target.Workspace.Digest,
		Applied:    target.Remembered.Applied.WorkspaceDigest,
		Current:    target.Remembered.Current,
		Running:    p.Scheduler.Running(key),
		Unfinished: target.Remembered.Unfinished,
		Checked:    target.Remembered.Checked,
		Digest:     target.Remembered.Digest,
	}
	var result Result
	p.memories.with(key, func(m *memory) {
		m.observe(&observed)
		if target.Remembered.Outdated && m.checked.IsZero() {
			observed.UpgradeCheck = upgradeCheck(key, m.since, target.CheckInterval)
		}
		result = Result{Applied: m.applied, Outputs: m.outputs, Err: m.err, LastPlan: m.lastPlan, LastApplied: m.appliedAt,
			Checked: m.checked, Digest: m.digest, DestroyFailures: m.destroyFailures, Retain: target.Retain}
	})
	if unwritten, err := p.unwritten.get(target.unwrittenName()); err != nil || unwritten != nil {
		observed.Unfinished = true
	}
	if observed.Checked.After(observed.Now) {
		observed.Checked = time.Time{} // a manager whose clock was ahead has written the time
	}
	if target.CheckInterval > 0 {
		observed.DriftCheck = schedule.NextSpaced(key, observed.Checked, target.CheckInterval)
	}
	if seen := target.Observation; seen != nil {
		if seen.Interrupted == nil || seen.NoPlan != nil { // otherwise the last run knows whether a plan can switch the infrastructure on
			observed.NoPlan = seen.NoPlan
		}
		observed.NoUpdate, observed.UpdatesObserved = seen.NoUpdate, true
		observed.Unchanged = seen.Digest != "" && seen.Digest == observed.Digest
		observed.FullCheck = schedule.Next(key, observed.Checked, fullCheckInterval)
	}
	result.AppliedBefore = observed.Applied != "" || target.Remembered.Published
	if stored := p.recorded(key); stored != nil {
		result.Plan, result.PlanName = &stored.Record, stored.Object.Name
		observed.Plan = result.Plan
		if target.Observation != nil {
			observed.Unchanged = target.Observation.Digest != "" && target.Observation.Digest == stored.Record.Infrastructure
		}
	}
	return observed, result
}

// report returns the events that no step has reported yet, and marks them as reported.
func (p *Pipeline) report(key string) []Event {
	var events []Event
	p.memories.with(key, func(m *memory) { events, m.events, m.reported = m.events, nil, true })
	return events
}

// withdrawDestroy removes a queued run from the queue if that run would destroy infrastructure that must stay.
func (p *Pipeline) withdrawDestroy(key string) {
	action := ""
	p.memories.with(key, func(m *memory) { action = m.action })
	if action != actionRetain {
		p.Withdraw(key)
	}
}

// Withdraw makes sure that no further action of the target begins. It returns true if the target has no run now, and false if an action
// has already begun. An event follows when that action ends.
func (p *Pipeline) Withdraw(key string) (idle bool) {
	p.endWaitingRun(key)
	return p.Scheduler.Withdraw(key)
}

// submit submits a run of the target and reports whether the scheduler accepted it.
func (p *Pipeline) submit(target Target, observed Observed, action string, run func(ctx context.Context, target Target) outcome) bool {
	key := target.Key()
	scheduled := p.scheduledRun(target, observed, action)
	scheduled.Do = func(ctx context.Context) {
		ctx = prism.WithoutFailFast(ctx)
		made, ok := p.perform(ctx, target, action, run).(planned)
		if !ok || made.workspace == nil {
			return
		}
		defer made.workspace.close()
		if p.awaitStep(ctx, key) {
			p.perform(ctx, target, actionApply, func(ctx context.Context, target Target) outcome {
				return p.apply(ctx, target, made.workspace)
			})
		}
	}
	submitted := p.Scheduler.Submit(scheduled)
	if submitted {
		p.memories.with(key, func(m *memory) { m.action = action })
	}
	return submitted
}

// perform executes one action of a run, logs its outcome and remembers it.
func (p *Pipeline) perform(ctx context.Context, target Target, action string, run func(ctx context.Context, target Target) outcome) outcome {
	key, begin := target.Key(), p.Clock.Now()
	o := p.run(ctx, target, run)
	logRun(log.FromContext(ctx), target, action, o, p.Clock.Now().Sub(begin))
	if errors.Is(errorOf(o), context.Canceled) && ctx.Err() != nil {
		if failure, ok := o.(failed); ok && failure.applying != nil {
			p.keepPlan(ctx, target, o)
		}
		return o // the manager is stopping, and the next manager plans again
	}
	p.keepPlan(ctx, target, o)
	p.memories.with(key, func(m *memory) { m.remember(o, target.Workspace.Digest, p.Clock.Now()) })
	return o
}

// withoutPanic calls run and converts a panic to a failure. Otherwise a panic in the run of one object would stop the manager.
func withoutPanic(ctx context.Context, target Target, run func(ctx context.Context, target Target) outcome) (o outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			log.FromContext(ctx).Error(fmt.Errorf("panic: %v", cause), "A Terraform run panicked", "target", target.Key(), "stack", string(debug.Stack()))
			o = failed{err: errors.New("running Terraform: the manager panicked, which is a bug; its log says where")}
		}
	}()
	return run(ctx, target)
}
