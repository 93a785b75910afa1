package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/capnt/capnt/internal/terraform"
)

// importFile is the workspace file with the import block. The digest does not cover this file, because the import block identifies
// existing infrastructure and does not describe desired infrastructure.
const importFile = "import.tf"

// prepare prepares the workspace for a plan of an object that is not being deleted. It adds an import block for existing infrastructure
// and removes the taint from healthy infrastructure. present is the state. prepare returns the new state, and the ID of the existing
// infrastructure or an empty string.
func (p *Pipeline) prepare(ctx context.Context, target Target, workspace Workspace, present *terraform.State) (state *terraform.State, id string, err error) {
	state, err = p.untaintShared(ctx, target, workspace, present)
	if err != nil || target.Hooks.Identify == nil {
		return state, "", err
	}
	known := find(state, target.Resource)
	importID, err := target.Hooks.Identify(ctx, known.ID)
	var absent *AbsentError
	switch {
	case errors.As(err, &absent) && known.Address != "":
		if err := p.forget(ctx, target, workspace, known, absent.Error()); err != nil {
			return nil, "", err
		}
		state, err = workspace.State(ctx)
		return state, "", err
	case err != nil:
		return nil, "", fmt.Errorf("identifying infrastructure: %w", err)
	case importID != "":
		state, err = p.planImport(ctx, target, workspace, known, importID)
		return state, importID, err
	case known.Tainted && target.Hooks.Healthy != nil:
		state, err = p.untaint(ctx, target, workspace, known)
	}
	return state, known.ID, err
}

// untaintShared removes the taint from shared resources and returns the new state. Terraform taints a resource whose last read failed, and a
// plan would replace it. Replacing a shared resource would destroy it for other objects, too.
func (p *Pipeline) untaintShared(ctx context.Context, target Target, workspace Workspace, state *terraform.State) (*terraform.State, error) {
	tainted := false
	for _, address := range target.Shared {
		known := find(state, address)
		if !known.Tainted {
			continue
		}
		if err := p.removeTaint(ctx, target, workspace, known, "it is shared and must not be replaced"); err != nil {
			return nil, err
		}
		tainted = true
	}
	if !tainted {
		return state, nil
	}
	return workspace.State(ctx)
}

// planImport adds an import block for existing infrastructure to the workspace. If known is another resource, planImport removes it from
// the state first.
func (p *Pipeline) planImport(ctx context.Context, target Target, workspace Workspace, known terraform.Resource, importID string) (*terraform.State, error) {
	if known.Address != "" {
		if err := p.forget(ctx, target, workspace, known, importID+" replaces "+known.ID); err != nil {
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
		if err := p.removeTaint(ctx, target, workspace, known, "it is healthy"); err != nil {
			return nil, err
		}
	}
	return workspace.State(ctx)
}

// prepareDestroy prepares the workspace for a destroy plan of an object that is being deleted. It imports existing infrastructure that is
// missing in the state, and removes shared resources from the state. It returns the new state.
func (p *Pipeline) prepareDestroy(ctx context.Context, target Target, workspace Workspace, state *terraform.State) (_ *terraform.State, err error) {
	changed := false
	if target.Hooks.Identify != nil {
		if changed, err = p.identifyForDestroy(ctx, target, workspace, find(state, target.Resource)); err != nil {
			return nil, err
		}
	}
	adopted, err := p.importParts(ctx, target, workspace, state)
	if err != nil {
		return nil, err
	}
	changed = changed || adopted
	for _, address := range target.Shared {
		known := find(state, address)
		if known.Address == "" {
			continue
		}
		if err := p.forget(ctx, target, workspace, known, "other objects share it"); err != nil {
			return nil, err
		}
		changed = true
	}
	if !changed {
		return state, nil
	}
	return workspace.State(ctx)
}

// identifyForDestroy imports the infrastructure that has to be destroyed next. It removes a resource from the state if the resource
// belongs to another object or does not exist.
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
		reason := importID + " is destroyed next"
		if err != nil {
			reason = err.Error()
		}
		if err := p.forget(ctx, target, workspace, known, reason); err != nil {
			return false, err
		}
	}
	if isForeign && known.Address != "" {
		p.memories.with(target.Key(), func(m *memory) { m.events = append(m.events, foreignEvent(foreign)) })
		_, err := p.identifyForDestroy(ctx, target, workspace, terraform.Resource{})
		return true, err
	}
	if err == nil {
		return true, p.importResource(ctx, target, workspace, target.Resource, importID)
	}
	return known.Address != "", nil
}
