package lifecycle

import (
	"context"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
)

// edit records an edit of the Terraform state by the manager and makes it. An edit changes nothing in Prism Central, so it waits for no
// decision.
func (p *Pipeline) edit(ctx context.Context, target Target, workspace Workspace, cause plan.Cause, change plan.Change, edit func() error) error {
	state, err := workspace.State(ctx)
	if err != nil {
		return err
	}
	origin, err := p.origin(ctx, target, nil, state)
	if err != nil {
		return err
	}
	stored, err := p.Plans.Record(ctx, plan.StateEdit(origin, cause, change), nil)
	if err != nil {
		return err
	}
	reason := plan.Verdict{Decision: plan.Approved, Reason: "an edit of the state changes nothing in Prism Central"}
	if stored, err = p.Plans.SetPhase(ctx, stored, infrav1.PlanPhaseApplying, reason.Reason, reason); err != nil {
		return err
	}
	record := &stored.Record
	if err := edit(); err != nil {
		p.finish(ctx, target, stored, failed{err: err, applying: record})
		return err
	}
	p.finish(ctx, target, stored, applied{record: record})
	return nil
}

// forget removes a resource from the state of the target. reason says why.
func (p *Pipeline) forget(ctx context.Context, target Target, workspace Workspace, known terraform.Resource, reason string) error {
	change := editOf(known, plan.ActionForget, reason)
	return p.edit(ctx, target, workspace, plan.CauseForget, change, func() error { return workspace.Forget(ctx, known.Address) })
}

// removeTaint removes the taint from a resource in the state of the target. reason says why.
func (p *Pipeline) removeTaint(ctx context.Context, target Target, workspace Workspace, known terraform.Resource, reason string) error {
	change := editOf(known, plan.ActionUntaint, reason)
	return p.edit(ctx, target, workspace, plan.CauseUntaint, change, func() error { return workspace.Untaint(ctx, known.Address) })
}

// editOf returns the edit of a resource in the state. It contains the ID of the resource, because the same edit of a later virtual machine
// of the object is another change.
func editOf(known terraform.Resource, action plan.Action, reason string) plan.Change {
	change := plan.Change{Address: known.Address, Actions: []plan.Action{action}, Reason: reason}
	if known.ID == "" {
		return change
	}
	id := plan.Attribute{Path: "id", Before: &known.ID}
	if action != plan.ActionForget {
		id.After = id.Before
	}
	change.Attributes = []plan.Attribute{id}
	return change
}

// importResource imports existing infrastructure into the state of the target as the resource at address.
func (p *Pipeline) importResource(ctx context.Context, target Target, workspace Workspace, address, id string) error {
	change := plan.Change{Address: address, Actions: []plan.Action{plan.ActionImport}, ImportID: id,
		Reason: "it exists and is missing in the state"}
	return p.edit(ctx, target, workspace, plan.CauseImport, change, func() error { return workspace.Import(ctx, address, id) })
}
