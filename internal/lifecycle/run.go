package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// importFile is the workspace file that holds the import block; the digest leaves it out, because it says which existing
// machine is meant and not what it shall be.
const importFile = "import.tf"

// open opens the target's workspace with a door to Prism Central of the given mode. The caller closes both.
func (p *Pipeline) open(ctx context.Context, target Target, mode gateway.Mode) (Workspace, func(), error) {
	session, err := p.Gateway.Open(gateway.RunOptions{
		Upstream: target.Upstream,
		Mode:     mode,
		Object:   target.Key(),
		OnCreate: target.Hooks.Created,
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
		Files:     target.Workspace.Files,
		Variables: target.Variables,
		Env:       environment,
		CABundle:  session.CABundle(),
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

// planRun establishes the identity of what exists, then plans.
func (p *Pipeline) planRun(ctx context.Context, target Target) outcome {
	workspace, done, err := p.open(ctx, target, gateway.ReadOnly)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer done()

	if err := p.writeState(ctx, target, workspace); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	var state *terraform.State
	if target.Deleting() {
		state, err = p.prepareDestroy(ctx, target, workspace)
	} else {
		state, err = p.prepare(ctx, target, workspace)
	}
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if target.Deleting() && state.Empty() {
		return outcome{destroyed: true}
	}
	planned, err := workspace.Plan(ctx, terraform.PlanOptions{Destroy: target.Deleting()})
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if !planned.HasChanges {
		return p.agree(ctx, target, workspace, outcome{destroyed: target.Deleting()})
	}
	record := plan.Build(p.origin(target, state), planned.Bytes, planned.JSON)
	return outcome{planned: &plan.Stored{Record: record, File: planned.Bytes}}
}

// writeState writes the state that an earlier apply of this process could not write, because its backend was away. Should
// this process end before the backend comes back, or somebody write another state first, what was made is found again by its
// identity.
func (p *Pipeline) writeState(ctx context.Context, target Target, workspace Workspace) error {
	var unwritten []byte
	p.targets.with(target.Key(), func(m *memory) { unwritten = m.unwritten })
	if unwritten == nil {
		return nil
	}
	err := workspace.Push(ctx, unwritten)
	refused := terraform.Refused(err)
	if err != nil && !refused {
		return fmt.Errorf("writing the state of an earlier apply: %w", err)
	}
	p.targets.with(target.Key(), func(m *memory) {
		m.unwritten = nil
		if refused {
			m.unreported = append(m.unreported, outcome{discarded: err.Error()})
		}
	})
	return nil
}

// prepare makes the workspace of a living object ready to be planned: it finds out which existing infrastructure the
// object is, and keeps infrastructure that only its last reading called tainted.
func (p *Pipeline) prepare(ctx context.Context, target Target, workspace Workspace) (*terraform.State, error) {
	state, err := p.keepShared(ctx, target, workspace)
	if err != nil || target.Hooks.Identify == nil {
		return state, err
	}
	known := find(state, target.Resource)
	importID, err := target.Hooks.Identify(ctx, known.ID)
	if err != nil {
		return nil, fmt.Errorf("identifying infrastructure: %w", err)
	}
	if importID != "" {
		return p.adoptInto(ctx, target, workspace, known, importID)
	}
	if known.Tainted && target.Hooks.Healthy != nil {
		return p.untaint(ctx, target, workspace, known)
	}
	return state, nil
}

// keepShared reads the state and untaints in it what others may share. Such a thing is tainted when only its last reading
// failed; replacing it would destroy it under the others.
func (p *Pipeline) keepShared(ctx context.Context, target Target, workspace Workspace) (*terraform.State, error) {
	state, err := workspace.State(ctx)
	if err != nil {
		return nil, err
	}
	tainted := false
	for _, address := range target.Forget {
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

// adoptInto has the plan take existing infrastructure into the state, in place of what the state holds wrongly.
func (p *Pipeline) adoptInto(ctx context.Context, target Target, workspace Workspace, known terraform.Resource, importID string) (*terraform.State, error) {
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
		return nil, fmt.Errorf("looking at tainted infrastructure: %w", err)
	}
	if healthy {
		if err := workspace.Untaint(ctx, target.Resource); err != nil {
			return nil, err
		}
	}
	return workspace.State(ctx)
}

// prepareDestroy makes the workspace of an object that is being deleted ready for a destroy plan: what exists but is not in
// the state is taken into it, what others share is taken out.
func (p *Pipeline) prepareDestroy(ctx context.Context, target Target, workspace Workspace) (*terraform.State, error) {
	state, err := workspace.State(ctx)
	if err != nil {
		return nil, err
	}
	changed := false
	if known := find(state, target.Resource); target.Hooks.Identify != nil && known.ID == "" {
		importID, err := target.Hooks.Identify(ctx, "")
		var conflict *ConflictError
		switch {
		case errors.As(err, &conflict) && !conflict.Ours || lostIn(err) != nil:
			// What is there is not ours, or nothing is there: nothing to destroy.
		case err != nil:
			return nil, fmt.Errorf("identifying infrastructure: %w", err)
		case importID != "":
			if err := workspace.Import(ctx, target.Resource, importID); err != nil {
				return nil, err
			}
			changed = true
		}
	}
	for _, address := range target.Forget {
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

// applyRun applies the recorded plan of the target, and nothing else.
func (p *Pipeline) applyRun(ctx context.Context, target Target) outcome {
	stored, ok := p.plans.Get(target.Key())
	if !ok {
		return outcome{superseded: "there is no plan any more"}
	}
	workspace, done, err := p.open(ctx, target, gateway.ReadWrite)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer done()

	state, err := workspace.State(ctx)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	var stale *plan.StaleError
	if err := stored.Record.Verify(stored.File, target.Workspace.Digest, state.Lineage, state.Serial); errors.As(err, &stale) {
		return outcome{superseded: stale.Error()}
	}
	if err := workspace.Apply(ctx, stored.File); err != nil {
		if adoptErr := p.adopt(ctx, target); adoptErr != nil {
			log.FromContext(ctx).Error(adoptErr, "Failed to adopt a Terraform state, the next run tries again")
		}
		failed := p.breakDeadLock(ctx, target, workspace, err)
		failed.record = &stored.Record
		return failed
	}
	return p.agree(ctx, target, workspace, outcome{record: &stored.Record, carriedOut: true, destroyed: target.Deleting()})
}

// adopt makes the object the owner of its state: one without an owner stays behind at clusterctl move. That of an object
// which is being deleted is about to be removed.
func (p *Pipeline) adopt(ctx context.Context, target Target) error {
	if target.Deleting() {
		return nil
	}
	if err := p.State.Adopt(context.WithoutCancel(ctx), target); err != nil {
		return fmt.Errorf("making the object the owner of its Terraform state: %w", err)
	}
	return nil
}

// agree completes the outcome of a run after which infrastructure and workspace agree.
func (p *Pipeline) agree(ctx context.Context, target Target, workspace Workspace, reached outcome) outcome {
	if err := p.adopt(ctx, target); err != nil {
		reached.err = err
		return reached
	}
	state, err := workspace.State(ctx)
	if err != nil {
		reached.err = err
		return reached
	}
	outputs, err := workspace.Outputs(ctx)
	if err != nil {
		reached.err = err
		return reached
	}
	reached.outputs = outputs
	reached.applied = &Applied{WorkspaceDigest: target.Workspace.Digest, Lineage: state.Lineage, Serial: state.Serial}
	return reached
}

func (p *Pipeline) origin(target Target, state *terraform.State) plan.Origin {
	return plan.Origin{
		Cause:            cause(target, state),
		Destroy:          target.Deleting(),
		WorkspaceDigest:  target.Workspace.Digest,
		Lineage:          state.Lineage,
		Serial:           state.Serial,
		TerraformVersion: p.TerraformVersion,
		ProviderVersion:  p.ProviderVersion,
		Time:             p.Clock.Now(),
	}
}

func cause(target Target, state *terraform.State) plan.Cause {
	switch {
	case target.Deleting():
		return plan.CauseDelete
	case state.Empty():
		return plan.CauseCreate
	case target.Applied.WorkspaceDigest == target.Workspace.Digest:
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
