package lifecycle

import (
	"context"
	"fmt"

	"github.com/capnt/capnt/internal/terraform"
)

// retainRun exports the workspace of an object that is being deleted and whose infrastructure stays. It changes nothing in Prism Central.
func (p *Pipeline) retainRun(ctx context.Context, target Target) outcome {
	workspace, err := p.open(ctx, target)
	if err != nil {
		return p.breakDeadLock(ctx, target, nil, err)
	}
	defer workspace.close()

	if err := p.writeState(ctx, target, workspace); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	desired := target
	target, state, err := p.withPresentResource(ctx, target, workspace)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if state, err = p.prepareRetain(ctx, target, workspace, state); err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if state.Empty() {
		return retained{} // no infrastructure exists, so there is nothing to export
	}
	seen, err := p.observeInfrastructure(ctx, target, find(state, target.Resource).ID)
	if err != nil {
		return failed{err: err}
	}
	if seen.Files, err = p.withMigration(ctx, desired, state, seen.Files); err != nil {
		return failed{err: err}
	}
	content, err := workspace.Pull(ctx)
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if err := target.Hooks.Export(ctx, content, seen.Files); err != nil {
		return failed{err: fmt.Errorf("exporting the workspace: %w", err)}
	}
	return retained{}
}

// prepareRetain prepares the state of a workspace for its export. It imports existing infrastructure that is missing in the state, as
// prepareDestroy does. Unlike prepareDestroy, it leaves shared resources in the state. It returns the new state.
func (p *Pipeline) prepareRetain(ctx context.Context, target Target, workspace Workspace, state *terraform.State) (*terraform.State, error) {
	if target.Hooks.Identify == nil {
		return state, nil
	}
	changed, err := p.identifyForDestroy(ctx, target, workspace, find(state, target.Resource))
	if err != nil || !changed {
		return state, err
	}
	return workspace.State(ctx)
}
