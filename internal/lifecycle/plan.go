package lifecycle

import (
	"cmp"
	"context"
	"fmt"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
)

// planRun prepares the state of the target and makes a plan.
func (p *Pipeline) planRun(ctx context.Context, target Target) outcome {
	workspace, err := p.open(ctx, target)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	keep := false
	defer func() {
		if !keep {
			workspace.close()
		}
	}()
	o := p.makePlan(ctx, target, workspace, workspace.generation)
	if made, ok := o.(planned); ok && made.approved {
		keep = true
		made.workspace = workspace
		return made
	}
	return o
}

func (p *Pipeline) makePlan(ctx context.Context, target Target, workspace Workspace, generation *provider.Generation) outcome {
	if err := p.writeState(ctx, target, workspace); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if stored, err := p.resume(ctx, target, workspace); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	} else if stored != nil {
		return resumed{*stored}
	}
	if target.Deleting() {
		return p.planDestroy(ctx, target, workspace, generation)
	}
	return p.planUpdate(ctx, target, workspace, generation)
}

// planUpdate makes a plan for an object that is not being deleted. The plan creates the infrastructure if it does not exist.
func (p *Pipeline) planUpdate(ctx context.Context, target Target, workspace Workspace, generation *provider.Generation) outcome {
	present, err := workspace.State(ctx)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if former := target.formerIn(present); len(former) > 0 {
		return p.planMigration(ctx, target, workspace, generation, present, former)
	}
	state, id, err := p.prepare(ctx, target, workspace, present)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if state, err = p.planParts(ctx, target, workspace, state); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	seen, err := p.observeInfrastructure(ctx, target, id)
	if err != nil {
		return failed{err: err}
	}
	if seen.NoPlan != nil {
		return onHold{*seen.NoPlan}
	}
	if err := writeFiles(workspace, seen.Files); err != nil {
		return failed{err: err}
	}
	made, err := workspace.Plan(ctx, terraform.PlanOptions{})
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if !made.HasChanges {
		back, err := p.readBack(ctx, target, workspace)
		if err != nil {
			return failed{err: err}
		}
		return unchanged{back, seen.Digest}
	}
	origin, err := p.origin(ctx, target, generation, state)
	if err != nil {
		return failed{err: err}
	}
	origin.Observed, origin.Infrastructure, origin.Hold, origin.SwitchedOff = seen.observedDigest(), seen.Digest, seen.NoUpdate, seen.SwitchOn
	record := plan.Build(origin, made.Bytes, made.JSON)
	if err := requireHarmless(record, seen, target.Resource, id); err != nil {
		return failed{err: err}
	}
	if hold := seen.prevents(record); hold != nil {
		return onHold{*hold}
	}
	return p.recordPlan(ctx, target, record, made.Bytes)
}

// requireHarmless returns an error for a plan that results from a response of Prism Central that lacked the infrastructure or its power state.
// Not even an approval lets such a plan pass. The provider switches a VM off for any power state but ON.
func requireHarmless(record plan.Record, seen Observation, resource, id string) error {
	power := record.PowerState(resource)
	switch {
	case seen.Found && record.Creates(resource):
		return fmt.Errorf("planning: Terraform would create %s although %s exists: Prism Central did not show it for a moment, and it is planned again", resource, id)
	case seen.Found && power != "" && power != "ON":
		return fmt.Errorf("planning: Terraform would set the power state of virtual machine %s to %s, which switches it off: "+
			"Prism Central did not report its power state, and it is planned again", id, power)
	}
	return nil
}

// planDestroy makes a plan that destroys the remaining infrastructure of an object that is being deleted.
func (p *Pipeline) planDestroy(ctx context.Context, target Target, workspace Workspace, generation *provider.Generation) outcome {
	target, state, err := p.withPresentResource(ctx, target, workspace)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	state, err = p.prepareDestroy(ctx, target, workspace, state)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if state.Empty() {
		return destroyed{}
	}
	made, err := workspace.Plan(ctx, terraform.PlanOptions{Destroy: true})
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if !made.HasChanges {
		return nothingToDestroy(state, target.Resource)
	}
	origin, err := p.origin(ctx, target, generation, state)
	if err != nil {
		return failed{err: err}
	}
	return p.recordPlan(ctx, target, plan.Build(origin, made.Bytes, made.JSON), made.Bytes)
}

// nothingToDestroy returns the outcome if a destroy plan contains no changes. If the state contained the resource before the plan, the
// provider has removed it after a single "not found" response. One such response is not sufficient evidence that the infrastructure does
// not exist.
func nothingToDestroy(state *terraform.State, resource string) outcome {
	if known := find(state, resource).ID; known != "" {
		return failed{err: &WaitError{Reason: infrav1.VMNotFoundReason, Message: "Prism Central did not find virtual machine " + known +
			" while its destruction was planned: it is searched for again"}}
	}
	return destroyed{}
}

func (p *Pipeline) origin(ctx context.Context, target Target, generation *provider.Generation, state *terraform.State) (plan.Origin, error) {
	variables, err := p.Plans.Fingerprint(ctx, target.Variables)
	if err != nil {
		return plan.Origin{}, err
	}
	source := target.Origin
	if target.Hooks.Revision != nil {
		source.Revision = target.Hooks.Revision(ctx)
	}
	return plan.Origin{
		Generation: generation,
		Target:     target.planTarget(),
		Source:     source,
		Cause:      cause(target, state),
		Destroy:    target.Deleting(),
		Basis: plan.Basis{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial,
			Variables: variables},
		TerraformVersion: p.TerraformVersion,
		ProviderVersion:  p.providerVersion(target),
		Time:             p.Clock.Now(),
	}, nil
}

func (p *Pipeline) providerVersion(target Target) string {
	return cmp.Or(target.ProviderVersion, p.ProviderVersion)
}

func cause(target Target, state *terraform.State) plan.Cause {
	switch {
	case target.Deleting():
		return plan.CauseDelete
	case state.Empty():
		return plan.CauseCreate
	case cmp.Or(target.Remembered.Applied.WorkspaceDigest, target.Remembered.Workspace) == target.Workspace.Digest,
		target.Remembered.Outdated && target.Remembered.Current:
		return plan.CauseDrift
	default:
		return plan.CauseUpdate
	}
}
