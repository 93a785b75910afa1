package terraform

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// PlanOptions configure a plan.
type PlanOptions struct {
	// Destroy plans to destroy all resources in the state.
	Destroy bool
}

// Plan is a saved plan.
type Plan struct {
	// Bytes is the plan file for Apply. It contains the sensitive variables in plain text: store it in a Secret and never log it.
	Bytes []byte
	// JSON describes the changes of the plan without sensitive values, see redact.
	JSON *tfjson.Plan
	// HasChanges is the detailed exit code: the plan changes resources or outputs, or moves or imports resources.
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

// Plan returns a saved plan of the workspace. It always refreshes, because after a failed update the state contains planned values.
func (r *Run) Plan(ctx context.Context, options PlanOptions) (*Plan, error) {
	plan := &Plan{}
	path := r.dir.plan()
	// A file that cannot be removed here is removed by Close.
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
