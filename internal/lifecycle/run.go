package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/log"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
)

// importFile is the workspace file with the import block. The digest does not cover it, because it names existing
// infrastructure and does not describe what the infrastructure has to be.
const importFile = "import.tf"

// open opens the target's workspace and a gateway session with that mode and KeepPower. The returned function closes both.
func (p *Pipeline) open(ctx context.Context, target Target, mode gateway.Mode, keepPower bool) (Workspace, func(), error) {
	session, err := p.Gateway.Open(gateway.RunOptions{
		Upstream:  target.Upstream,
		Mode:      mode,
		Object:    target.Key(),
		Creates:   target.Hooks.Creates,
		KeepPower: keepPower,
		Deleted:   target.Hooks.Deleted,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("opening gateway session: %w", err)
	}
	environment := maps.Clone(target.Backend.Environment)
	if environment == nil {
		environment = map[string]string{}
	}
	maps.Copy(environment, session.Env())
	workspace, err := p.Engine.Open(ctx, terraform.RunOptions{
		Files:           target.Workspace.Files,
		ProviderVersion: p.providerVersion(target),
		Variables:       target.Variables,
		Env:             environment,
		CABundle:        session.CABundle(),
	})
	if err != nil {
		session.Close()
		return nil, nil, err
	}
	return workspace, func() {
		if err := workspace.Close(); err != nil {
			log.FromContext(ctx).Error(err, "Failed to remove a workspace directory")
		}
		session.Close()
	}, nil
}

// planRun prepares the state of the target and plans.
func (p *Pipeline) planRun(ctx context.Context, target Target) outcome {
	generation, err := provider.ForVersion(p.providerVersion(target))
	if err != nil {
		return failed{err: err}
	}
	workspace, done, err := p.open(ctx, target, gateway.ReadOnly, true)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer done()

	if err := p.writeState(ctx, target, workspace); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if target.Deleting() {
		return p.planDestroy(ctx, target, workspace, generation)
	}
	return p.planUpdate(ctx, target, workspace, generation)
}

// planUpdate plans what a living object wants, which may be a create.
func (p *Pipeline) planUpdate(ctx context.Context, target Target, workspace Workspace, generation *provider.Generation) outcome {
	state, id, err := p.prepare(ctx, target, workspace)
	if err != nil {
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
		return unchanged{back}
	}
	origin := p.origin(target, generation, state)
	origin.Observed, origin.Hold = filesDigest(seen.Files), seen.NoUpdate
	record := plan.Build(origin, made.Bytes, made.JSON)
	if seen.Found && record.Creates(target.Resource) {
		return failed{err: fmt.Errorf("planning: Terraform would create %s although %s exists: Prism Central did not show it for a moment, and it is planned again", target.Resource, id)}
	}
	return planned{plan.Stored{Record: record, File: made.Bytes}}
}

// planDestroy plans the destruction of what is left of an object that is being deleted.
func (p *Pipeline) planDestroy(ctx context.Context, target Target, workspace Workspace, generation *provider.Generation) outcome {
	state, err := p.prepareDestroy(ctx, target, workspace)
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
	return planned{plan.Stored{Record: plan.Build(p.origin(target, generation, state), made.Bytes, made.JSON), File: made.Bytes}}
}

// writeState writes the state that an earlier apply of this process could not write because its backend did not respond. If
// another state was written since, the unwritten one is given up, and Hooks.Identify finds what the apply created.
func (p *Pipeline) writeState(ctx context.Context, target Target, workspace Workspace) error {
	var unwritten []byte
	p.memories.with(target.Key(), func(m *memory) { unwritten = m.unwritten })
	if unwritten == nil {
		return nil
	}
	err := workspace.Push(ctx, unwritten)
	refused := terraform.Refused(err)
	if err != nil && !refused {
		return fmt.Errorf("writing the state of an earlier apply: %w", err)
	}
	p.memories.with(target.Key(), func(m *memory) {
		m.unwritten = nil
		if refused {
			m.events = append(m.events, discardedEvent(err))
		}
	})
	return nil
}

// prepare prepares the workspace of a living object for a plan. It has existing infrastructure of the object imported, and
// untaints infrastructure that is healthy. It returns the state, and the ID of the existing infrastructure or an empty string.
func (p *Pipeline) prepare(ctx context.Context, target Target, workspace Workspace) (state *terraform.State, id string, err error) {
	state, err = p.untaintShared(ctx, target, workspace)
	if err != nil || target.Hooks.Identify == nil {
		return state, "", err
	}
	known := find(state, target.Resource)
	importID, err := target.Hooks.Identify(ctx, known.ID)
	if err != nil {
		return nil, "", fmt.Errorf("identifying infrastructure: %w", err)
	}
	switch {
	case importID != "":
		state, err = p.planImport(ctx, target, workspace, known, importID)
		return state, importID, err
	case known.Tainted && target.Hooks.Healthy != nil:
		state, err = p.untaint(ctx, target, workspace, known)
	}
	return state, known.ID, err
}

// untaintShared reads the state and untaints the shared resources in it. Terraform taints a resource whose last read failed,
// and replacing a shared one would destroy it for the other objects, too.
func (p *Pipeline) untaintShared(ctx context.Context, target Target, workspace Workspace) (*terraform.State, error) {
	state, err := workspace.State(ctx)
	if err != nil {
		return nil, err
	}
	tainted := false
	for _, address := range target.Shared {
		if !find(state, address).Tainted {
			continue
		}
		if err := workspace.Untaint(ctx, address); err != nil {
			return nil, err
		}
		tainted = true
	}
	if !tainted {
		return state, nil
	}
	return workspace.State(ctx)
}

// planImport adds an import block for existing infrastructure to the workspace. It replaces what the state knows.
func (p *Pipeline) planImport(ctx context.Context, target Target, workspace Workspace, known terraform.Resource, importID string) (*terraform.State, error) {
	if known.Address != "" {
		if err := workspace.Forget(ctx, target.Resource); err != nil {
			return nil, err
		}
	}
	files := target.Workspace.WithImport(target.Resource, importID).Files
	if err := workspace.WriteFile(importFile, files[importFile]); err != nil {
		return nil, err
	}
	return workspace.State(ctx)
}

func (p *Pipeline) untaint(ctx context.Context, target Target, workspace Workspace, known terraform.Resource) (*terraform.State, error) {
	healthy, err := target.Hooks.Healthy(ctx, known.ID)
	if err != nil {
		return nil, fmt.Errorf("checking tainted infrastructure: %w", err)
	}
	if healthy {
		if err := workspace.Untaint(ctx, target.Resource); err != nil {
			return nil, err
		}
	}
	return workspace.State(ctx)
}

// prepareDestroy prepares the workspace of an object that is being deleted for a destroy plan. It imports what exists and is
// not in the state, and removes shared resources from the state.
func (p *Pipeline) prepareDestroy(ctx context.Context, target Target, workspace Workspace) (*terraform.State, error) {
	state, err := workspace.State(ctx)
	if err != nil {
		return nil, err
	}
	changed := false
	if target.Hooks.Identify != nil {
		if changed, err = p.identifyForDestroy(ctx, target, workspace, find(state, target.Resource)); err != nil {
			return nil, err
		}
	}
	for _, address := range target.Shared {
		if find(state, address).Address == "" {
			continue
		}
		if err := workspace.Forget(ctx, address); err != nil {
			return nil, err
		}
		changed = true
	}
	if !changed {
		return state, nil
	}
	return workspace.State(ctx)
}

// identifyForDestroy imports what has to be destroyed next, and removes from the state what is not the object's or does not exist.
func (p *Pipeline) identifyForDestroy(ctx context.Context, target Target, workspace Workspace, known terraform.Resource) (changed bool, err error) {
	importID, err := target.Hooks.Identify(ctx, known.ID)
	var foreign *ForeignError
	var absent *AbsentError
	isForeign := errors.As(err, &foreign)
	switch {
	case err != nil && !isForeign && !errors.As(err, &absent):
		return false, fmt.Errorf("identifying infrastructure: %w", err)
	case err == nil && importID == "":
		return false, nil
	}
	if known.Address != "" {
		if err := workspace.Forget(ctx, target.Resource); err != nil {
			return false, err
		}
	}
	if isForeign && known.Address != "" {
		p.memories.with(target.Key(), func(m *memory) { m.events = append(m.events, foreignEvent(foreign)) })
		_, err := p.identifyForDestroy(ctx, target, workspace, terraform.Resource{})
		return true, err
	}
	if err == nil {
		return true, workspace.Import(ctx, target.Resource, importID)
	}
	return known.Address != "", nil
}

// nothingToDestroy returns the outcome of a destroy plan without changes. The provider removes a resource that it does not find
// from the state, on one response. If that happened to infrastructure that was there a moment ago, it proves nothing.
func nothingToDestroy(state *terraform.State, resource string) outcome {
	if known := find(state, resource).ID; known != "" {
		return failed{err: &WaitError{Reason: infrav1.VMNotFoundReason, Message: "Prism Central did not find virtual machine " + known +
			" while its destruction was planned: it is searched again"}}
	}
	return destroyed{}
}

// applyRun applies the recorded plan of the target, and nothing else.
func (p *Pipeline) applyRun(ctx context.Context, target Target) outcome {
	stored, ok := p.plans.Get(target.Key())
	if !ok {
		return superseded{"there is no plan any more"}
	}
	workspace, done, err := p.open(ctx, target, gateway.ReadWrite, stored.Record.Disruption == provider.None)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer done()

	state, err := workspace.State(ctx)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if o := p.verify(ctx, target, stored, state); o != nil {
		return o
	}
	if err := prepareDestruction(ctx, target, find(state, target.Resource).ID); err != nil {
		return notReady(&stored.Record, err)
	}
	if err := workspace.Apply(ctx, stored.File); err != nil {
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

// verify returns the outcome of a run that must not apply the recorded plan, or nil. It observes the infrastructure again,
// because others may have changed it since the plan was made.
func (p *Pipeline) verify(ctx context.Context, target Target, stored plan.Stored, state *terraform.State) outcome {
	present := plan.Basis{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial}
	if !target.Deleting() {
		id := cmp.Or(stored.Record.ImportID(target.Resource), find(state, target.Resource).ID)
		seen, err := p.observeInfrastructure(ctx, target, id)
		switch {
		case err != nil:
			return failed{err: err}
		case seen.NoPlan != nil:
			return onHold{*seen.NoPlan}
		case seen.NoUpdate != nil && stored.Record.Counts.Update > 0:
			return superseded{seen.NoUpdate.Message}
		}
		present.Observed = filesDigest(seen.Files)
	}
	if err := stored.Record.Verify(stored.File, present); err != nil {
		return superseded{err.Error()}
	}
	return nil
}

// prepareDestruction calls Hooks.BeforeDestroy for the infrastructure of an object that is being deleted.
func prepareDestruction(ctx context.Context, target Target, id string) error {
	if !target.Deleting() || id == "" || target.Hooks.BeforeDestroy == nil {
		return nil
	}
	return target.Hooks.BeforeDestroy(ctx, id)
}

// notReady returns the outcome of a run whose plan could not be applied because of an error of Hooks.BeforeDestroy.
func notReady(record *plan.Record, err error) outcome {
	var wait *WaitError
	if errors.As(err, &wait) {
		return postponed{record, err}
	}
	return failed{err: fmt.Errorf("preparing the destruction: %w", err)}
}

// applyFailed returns the outcome of a run whose apply failed. The apply may have written a state, which needs its owner.
func (p *Pipeline) applyFailed(ctx context.Context, target Target, workspace Workspace, record *plan.Record, cause error) outcome {
	if err := p.setStateOwner(ctx, target); err != nil {
		log.FromContext(ctx).Error(err, "Failed to set the owner of a Terraform state, the next run tries again")
	}
	o := p.breakDeadLock(ctx, target, workspace, cause)
	if failure, ok := o.(failed); ok {
		failure.applying = record
		return failure
	}
	return o
}

// setStateOwner makes the object the owner of its state, so that clusterctl move takes the state along. The state of an object
// that is being deleted is about to be removed.
func (p *Pipeline) setStateOwner(ctx context.Context, target Target) error {
	if target.Deleting() {
		return nil
	}
	if err := p.State.Adopt(context.WithoutCancel(ctx), target); err != nil {
		return fmt.Errorf("making the object the owner of its Terraform state: %w", err)
	}
	return nil
}

// readBack reads state and outputs after a run that left infrastructure and workspace in agreement.
func (p *Pipeline) readBack(ctx context.Context, target Target, workspace Workspace) (readBack, error) {
	if err := p.setStateOwner(ctx, target); err != nil {
		return readBack{}, err
	}
	state, err := workspace.State(ctx)
	if err != nil {
		return readBack{}, err
	}
	outputs, err := workspace.Outputs(ctx)
	if err != nil {
		return readBack{}, err
	}
	applied := Applied{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial}
	return readBack{applied: applied, outputs: outputs}, nil
}

func (p *Pipeline) origin(target Target, generation *provider.Generation, state *terraform.State) plan.Origin {
	return plan.Origin{
		Generation:       generation,
		Cause:            cause(target, state),
		Destroy:          target.Deleting(),
		Basis:            plan.Basis{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial},
		TerraformVersion: p.TerraformVersion,
		ProviderVersion:  p.providerVersion(target),
		Time:             p.Clock.Now(),
	}
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
	case target.Remembered.Applied.WorkspaceDigest == target.Workspace.Digest, target.Remembered.Outdated && target.Remembered.Current:
		return plan.CauseDrift
	default:
		return plan.CauseUpdate
	}
}

func find(state *terraform.State, address string) terraform.Resource {
	for _, resource := range state.Resources {
		if resource.Address == address {
			return resource
		}
	}
	return terraform.Resource{}
}
