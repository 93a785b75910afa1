package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
)

// applyRun applies the recorded plan of the target.
func (p *Pipeline) applyRun(ctx context.Context, target Target) outcome {
	workspace, err := p.open(ctx, target)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer workspace.close()
	return p.apply(ctx, target, workspace)
}

// apply applies the recorded plan of the target in an open workspace.
func (p *Pipeline) apply(ctx context.Context, target Target, workspace *openWorkspace) outcome {
	recorded := p.recorded(target.Key())
	if recorded == nil {
		return superseded{"there is no plan any more"}
	}
	stored, err := p.Plans.Reload(ctx, *recorded, target.texts())
	if err != nil {
		return failed{err: err}
	}
	present, err := workspace.State(ctx)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if target.Deleting() {
		target = target.as(present)
	}
	if o := p.verify(ctx, target, stored, present); o != nil {
		return o
	}
	if err := prepareDestruction(ctx, target, find(present, target.Resource).ID); err != nil {
		return notReady(&stored.Record, err)
	}
	stored, o := p.beginApply(ctx, target, stored)
	if o != nil {
		return o
	}
	if err := p.applyInMode(ctx, target, workspace, stored, cmp.Or(stored.Record.ImportID(target.Resource), find(present, target.Resource).ID)); err != nil {
		return p.applyFailed(ctx, target, workspace, &stored.Record, err)
	}
	switch {
	case target.Deleting() && target.Hooks.Remaining != nil && target.Hooks.Remaining():
		return destroyedSome{&stored.Record}
	case target.Deleting():
		return destroyed{&stored.Record}
	}
	back, err := p.readBack(ctx, target, workspace)
	if err != nil {
		return unread{&stored.Record, err}
	}
	return applied{&stored.Record, back}
}

// applyInMode applies a plan in a session that forwards only the requests that the plan needs. id is the ID of the existing infrastructure,
// or an empty string. If the plan may switch the infrastructure off, Hooks.PowerCycle is called before.
func (p *Pipeline) applyInMode(ctx context.Context, target Target, workspace *openWorkspace, stored plan.Stored, id string) error {
	exists := !target.Deleting() && id != ""
	if stored.Record.Disruption == provider.None {
		workspace.session.SetMode(applyMode(stored.Record))
		switchesOn := exists && stored.Record.SwitchesOn(target.Resource)
		if switchesOn {
			workspace.session.AllowPowerOn(id)
		}
		if err := workspace.Apply(ctx, stored.File); err != nil || !switchesOn {
			return err
		}
		return p.requireOn(ctx, target, id)
	}
	cycles := exists && target.Hooks.PowerCycle != nil
	if cycles {
		if err := target.Hooks.PowerCycle(ctx, id); err != nil {
			return err
		}
	}
	workspace.session.SetMode(gateway.ReadWrite)
	if err := workspace.Apply(ctx, stored.File); err != nil || !cycles {
		return err
	}
	return p.requireOn(ctx, target, id)
}

// requireOn observes the infrastructure after an apply that may have switched it off or on. Provider 2.4 reports success if it cannot switch
// the infrastructure on. requireOn then returns an error, so that another plan switches it on.
func (p *Pipeline) requireOn(ctx context.Context, target Target, id string) error {
	seen, err := p.observeInfrastructure(ctx, target, id)
	switch {
	case err != nil:
		log.FromContext(ctx).Error(err, "Failed to read the infrastructure after an apply that may have switched it off", "id", id)
	case seen.SwitchOn:
		return fmt.Errorf("applying: virtual machine %s is off after the apply, although the provider reports success: it is switched on with the next plan", id)
	}
	return nil
}

// verify returns nil if the run may apply the recorded plan. Otherwise it returns the outcome with which the run ends. verify observes
// the infrastructure again, because the infrastructure may have changed since the plan was made.
func (p *Pipeline) verify(ctx context.Context, target Target, stored plan.Stored, state *terraform.State) outcome {
	variables, err := p.Plans.Fingerprint(ctx, target.Variables)
	if err != nil {
		return failed{err: err}
	}
	present := plan.Basis{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial, Variables: variables}
	if !target.Deleting() {
		id := cmp.Or(stored.Record.ImportID(target.Resource), find(state, target.Resource).ID)
		seen, err := p.observeInfrastructure(ctx, target, id)
		switch {
		case err != nil:
			return failed{err: err}
		case seen.prevents(stored.Record) != nil:
			return onHold{*seen.prevents(stored.Record)}
		case seen.NoUpdate != nil && stored.Record.Counts.Update > 0:
			return superseded{seen.NoUpdate.Message}
		}
		present.Observed = seen.observedDigest()
	}
	if err := stored.Record.Verify(stored.File, present); err != nil {
		return superseded{err.Error()}
	}
	return nil
}

// prepareDestruction calls Hooks.BeforeDestroy with id if the object is being deleted.
func prepareDestruction(ctx context.Context, target Target, id string) error {
	if !target.Deleting() || id == "" || target.Hooks.BeforeDestroy == nil {
		return nil
	}
	return target.Hooks.BeforeDestroy(ctx, id)
}

// notReady returns the outcome of a run that did not apply its plan because Hooks.BeforeDestroy returned err.
func notReady(record *plan.Record, err error) outcome {
	var wait *WaitError
	if errors.As(err, &wait) {
		return postponed{record, err}
	}
	return failed{err: fmt.Errorf("preparing the destruction: %w", err)}
}

// applyFailed returns the outcome of a run whose apply failed. If the apply could not write the state, applyFailed stores the state for
// the next run before the directory of this run is removed.
func (p *Pipeline) applyFailed(ctx context.Context, target Target, workspace Workspace, record *plan.Record, cause error) outcome {
	var failure *terraform.Error
	if errors.As(cause, &failure) && failure.ErroredState != nil {
		if err := p.unwritten.put(target.unwrittenName(), failure.ErroredState); err != nil {
			log.FromContext(ctx).Error(err, "A state that could not be written is lost if the manager restarts before the next run")
		}
	}
	o := p.breakDeadLock(ctx, target, workspace, cause)
	if failure, ok := o.(failed); ok {
		failure.applying = record
		return failure
	}
	return o
}
