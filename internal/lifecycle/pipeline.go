package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
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
	// Gateway opens the doors through which runs reach Prism Central.
	Gateway Gateway
	// Pool executes the runs.
	Pool *Pool
	// State keeps house in the Kubernetes backend.
	State StateKeeper
	// Holders tells dead runs of ours from other holders of a lock; nil breaks no lock.
	Holders *Holders
	// Clock tells the time.
	Clock clock.PassiveClock
	// TerraformVersion and ProviderVersion go into the records.
	TerraformVersion, ProviderVersion string

	plans   *plan.Store
	targets *tracker
}

// Engine opens Terraform workspaces. It is what the pipeline needs of terraform.Terraform.
type Engine interface {
	Open(ctx context.Context, options terraform.RunOptions) (Workspace, error)
}

// Workspace is an open Terraform workspace. It is what the pipeline needs of terraform.Run.
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
	Close() error
}

// Gateway opens sessions for runs. It is what the pipeline needs of gateway.Gateway.
type Gateway interface {
	Open(options gateway.RunOptions) (*gateway.Session, error)
}

// Init prepares a pipeline whose fields are set.
func (p *Pipeline) Init() *Pipeline {
	p.plans, p.targets = plan.NewStore(), newTracker()
	return p
}

// Result is where a target stands after a step.
type Result struct {
	State State
	// Plan is the record of the plan that is being applied or waits, and Verdict what was decided about it.
	Plan    *plan.Record
	Verdict plan.Verdict
	// Applying says that the run under way applies a plan; otherwise it plans.
	Applying bool
	// Applied is what infrastructure and workspace agree on; nil before the first time.
	Applied *Applied
	// Outputs are the workspace's outputs by name, present when a run of this process established Applied.
	Outputs map[string]json.RawMessage
	// Err is why the last run failed; Lost is set when it found the infrastructure gone.
	Err  error
	Lost *LostError
	// RetryAfter is when to come back although nothing else would call.
	RetryAfter time.Duration
	// LastPlan is the last plan that this process recorded, and LastApplied when it last applied one; zero if never.
	LastPlan    *plan.Record
	LastApplied time.Time
	// Happened are the things that came to pass since the last step, in order, for events.
	Happened []Happening
}

// Step takes the one step that the state of the target asks for. It never waits for a run: the pool's event channel of the
// target's kind says when to call again.
func (p *Pipeline) Step(target Target) Result {
	key := target.Key()
	observed, result := p.observe(target, key)
	result.State = Determine(observed)
	switch result.State {
	case NoPlan, PlanStale:
		p.plans.Drop(key)
		result.Plan = nil
		if p.submit(target, key, actionPlan, p.planRun) {
			result.State = Running
		}
	case Approved:
		if p.submit(target, key, actionApply, p.applyRun) {
			result.State, result.Applying = Running, true
		}
	case AwaitingDecision, Denied, Drifted:
		result.RetryAfter = p.untilCheck(target, key)
	case Running, Locked, Failed, InSync, Lost:
	}
	if result.State == NoPlan || result.State == PlanStale || result.State == Approved {
		result.RetryAfter = backoffBase // the pool is stopping or was busy with this target a moment ago
	}
	return result
}

// Settled reports whether nothing has to be done for a target as long as its inputs are the same: no run, no plan, nothing
// unreported, no failure and no check that is due. Only the target's object, kind and times are looked at.
func (p *Pipeline) Settled(target Target) bool {
	key := target.Key()
	if _, planned := p.plans.Get(key); planned || p.Pool.Running(key) {
		return false
	}
	settled := true
	p.targets.with(key, func(m *memory) {
		settled = len(m.unreported) == 0 && !m.unsettled && !checkDue(target, m.checked, p.Clock.Now())
	})
	return settled
}

// Forget drops everything that is remembered of a target whose object is gone.
func (p *Pipeline) Forget(target Target) {
	p.plans.Drop(target.Key())
	p.targets.forget(target.Key())
}

func (p *Pipeline) observe(target Target, key string) (Observed, Result) {
	now := p.Clock.Now()
	observed := Observed{
		Deleting: target.Deleting(),
		Rendered: target.Workspace.Digest,
		Applied:  target.Applied.WorkspaceDigest,
		Running:  p.Pool.Running(key),
		Lost:     target.Lost,
	}
	var result Result
	p.targets.with(key, func(m *memory) {
		if m.applied != nil {
			observed.Applied = m.applied.WorkspaceDigest
		}
		observed.Destroyed = m.destroyed
		observed.Lost = observed.Lost || m.lost != nil
		observed.BackingOff = m.err != nil && m.failedFor == target.Workspace.Digest && now.Before(m.retryAt)
		observed.LockHeld = terraform.ClassOf(m.err) == terraform.LockHeld
		observed.Unsettled = m.unsettled || target.Unsettled && m.applied == nil
		observed.CheckDue = checkDue(target, m.checked, now)
		result = Result{Applied: m.applied, Outputs: m.outputs, Err: m.err, Lost: m.lost,
			LastPlan: m.lastPlan, LastApplied: m.appliedAt, Happened: report(m.unreported)}
		if observed.BackingOff {
			result.RetryAfter = m.retryAt.Sub(now)
		}
		m.unreported = nil
	})
	if stored, ok := p.plans.Get(key); ok {
		result.Plan = &stored.Record
		result.Verdict = plan.Decide(stored.Record, target.Deleting())
		observed.Plan, observed.Decision = result.Plan, result.Verdict.Decision
	}
	return observed, result
}

func checkDue(target Target, remembered, now time.Time) bool {
	last := target.Checked
	if remembered.After(last) {
		last = remembered
	}
	return target.CheckInterval > 0 && now.Sub(last) >= target.CheckInterval
}

// untilCheck is the time until the target is compared again, in which a plan that waits is made anew; zero when never.
func (p *Pipeline) untilCheck(target Target, key string) time.Duration {
	var due time.Duration
	p.targets.with(key, func(m *memory) {
		if target.CheckInterval > 0 {
			due = max(m.checked.Add(target.CheckInterval).Sub(p.Clock.Now()), time.Second)
		}
	})
	return due
}

func (p *Pipeline) submit(target Target, key, action string, run func(ctx context.Context, target Target) outcome) bool {
	return p.Pool.Submit(target.Kind, key, target.Object, func(ctx context.Context) {
		begin := p.Clock.Now()
		result := guarded(ctx, target, run)
		announce(log.FromContext(ctx), target, action, result, p.Clock.Now().Sub(begin))
		if errors.Is(result.err, context.Canceled) && ctx.Err() != nil {
			return // the manager is stopping: nothing was learned that the next one would not find out
		}
		switch {
		case result.planned != nil:
			p.plans.Put(key, *result.planned)
		case result.record != nil || result.superseded != "" || result.err != nil:
			p.plans.Drop(key)
		}
		p.targets.with(key, func(m *memory) { m.remember(result, target.Workspace.Digest, p.Clock.Now()) })
	})
}

// guarded makes a failure of a run that panics: one object must not take the manager down, again and again, with all others.
func guarded(ctx context.Context, target Target, run func(ctx context.Context, target Target) outcome) (result outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			log.FromContext(ctx).Error(fmt.Errorf("panic: %v", cause), "A Terraform run panicked", "target", target.Key(), "stack", string(debug.Stack()))
			result = outcome{err: errors.New("running Terraform: the manager panicked, which is a bug; its log says where")}
		}
	}()
	return run(ctx, target)
}

func lostIn(err error) *LostError {
	var lost *LostError
	if errors.As(err, &lost) {
		return lost
	}
	return nil
}
