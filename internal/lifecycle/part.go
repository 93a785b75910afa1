package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"github.com/capnt/capnt/internal/terraform"
)

// partsFile is the workspace file with the import blocks of parts. Like importFile it is outside the digest.
const partsFile = "import-parts.tf"

// Part is a resource of a workspace in addition to Desired.Resource. The provider can neither create the resource if it exists nor read it if
// it does not exist. A run therefore imports a part that exists and is missing in the state, for example because an earlier run was
// interrupted, and removes a part from the state that does not exist.
type Part struct {
	// Address is the address of the resource.
	Address string
	// Wanted means that the workspace contains the resource. Otherwise the next plan destroys the resource.
	Wanted bool
	// Find returns the ID of the resource in Prism Central, or an empty string if it certainly does not exist. known is the ID in the state,
	// or empty.
	Find func(ctx context.Context, known string) (id string, err error)
}

// prepareParts compares the parts of the target with the state and removes a part from the state that does not exist. It calls adopt for a
// part that exists and is missing in the state. It reports whether the state has changed.
func (p *Pipeline) prepareParts(ctx context.Context, target Target, workspace Workspace, state *terraform.State, adopt func(address, id string) error) (changed bool, err error) {
	for _, part := range target.Parts {
		known := find(state, part.Address)
		id, err := part.Find(ctx, known.ID)
		if err != nil {
			return changed, fmt.Errorf("finding %s: %w", part.Address, err)
		}
		edited, err := p.comparePart(ctx, target, workspace, known, id)
		if err != nil {
			return changed, err
		}
		changed = changed || edited
		if id == "" || !part.Wanted || strings.EqualFold(id, known.ID) {
			continue
		}
		if err := adopt(part.Address, id); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// comparePart removes a part from the state if another resource or none exists in Prism Central. id is the ID of the existing resource, or
// empty. It removes the taint of a part that exists, because Terraform would replace the part. It reports whether the state has changed.
func (p *Pipeline) comparePart(ctx context.Context, target Target, workspace Workspace, known terraform.Resource, id string) (changed bool, err error) {
	switch {
	case known.Address == "":
		return false, nil
	case !strings.EqualFold(id, known.ID):
		return true, p.forget(ctx, target, workspace, known, known.ID+" does not exist")
	case known.Tainted:
		return true, p.removeTaint(ctx, target, workspace, known, "it exists")
	}
	return false, nil
}

// planParts prepares the parts of the target for a plan. The plan imports the parts that are missing in the state.
func (p *Pipeline) planParts(ctx context.Context, target Target, workspace Workspace, state *terraform.State) (*terraform.State, error) {
	imports := map[string]string{}
	changed, err := p.prepareParts(ctx, target, workspace, state, func(address, id string) error {
		imports[address] = id
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(imports) > 0 {
		if err := workspace.WriteFile(partsFile, target.Workspace.WithImports(imports).Files[importFile]); err != nil {
			return nil, err
		}
	}
	if !changed {
		return state, nil
	}
	return workspace.State(ctx)
}

// importParts imports the parts that are missing in the state, so that a destroy plan destroys them. It reports whether the state has
// changed.
func (p *Pipeline) importParts(ctx context.Context, target Target, workspace Workspace, state *terraform.State) (changed bool, err error) {
	imported := false
	changed, err = p.prepareParts(ctx, target, workspace, state, func(address, id string) error {
		imported = true
		return p.importResource(ctx, target, workspace, address, id)
	})
	return changed || imported, err
}
