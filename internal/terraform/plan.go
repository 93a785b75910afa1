package terraform

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// PlanOptions choose what is planned.
type PlanOptions struct {
	// Destroy plans the removal of everything in the state.
	Destroy bool
}

// Plan is a saved plan.
type Plan struct {
	// Bytes is the plan file, the only thing Apply takes. It holds the sensitive variables in the clear: keep it in a
	// Secret, never log it.
	Bytes []byte
	// JSON is what the plan would change, without sensitive values: see redact.
	JSON *tfjson.Plan
	// HasChanges is the detailed exit code: resources, outputs, moves or imports to record.
	HasChanges bool
}

func planOptions(options PlanOptions, variables, out string) []tfexec.PlanOption {
	list := []tfexec.PlanOption{tfexec.Out(out)}
	if variables != "" {
		list = append(list, tfexec.VarFile(variables))
	}
	if options.Destroy {
		list = append(list, tfexec.Destroy(true))
	}
	return list
}

// Plan makes a saved plan of the workspace as it stands now. The real objects are always read first: after a failed update
// the state holds what was planned.
func (r *Run) Plan(ctx context.Context, options PlanOptions) (*Plan, error) {
	plan := &Plan{}
	path := r.dir.plan()
	// The run's directory goes with Close at the latest; a plan file that is already gone is what is wanted.
	defer func() { _ = os.Remove(path) }()
	err := r.command(ctx, "plan", func(ctx context.Context) error {
		return r.withVariables(func(variables string) (err error) {
			plan.HasChanges, err = r.cli.Plan(ctx, planOptions(options, variables, path)...)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	err = r.command(ctx, "show", func(ctx context.Context) (err error) {
		plan.JSON, err = r.cli.ShowPlanFile(ctx, path, tfexec.JSONNumber(true))
		return err
	})
	if err != nil {
		return nil, err
	}
	if plan.JSON == nil {
		return nil, interrupted(ctx, "show")
	}
	redact(plan.JSON, r.scrub)
	if plan.Bytes, err = os.ReadFile(path); err != nil {
		return nil, fmt.Errorf("reading the saved plan: %w", err)
	}
	return plan, nil
}
