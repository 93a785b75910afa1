package terraform

import (
	"context"

	"github.com/hashicorp/terraform-exec/tfexec"
)

func importOptions(variables string) []tfexec.ImportOption {
	if variables == "" {
		return nil
	}
	return []tfexec.ImportOption{tfexec.VarFile(variables)}
}

// Import imports the object id into the state at address. It changes the state at once, without a plan. Use an import block to
// import with a plan.
func (r *Run) Import(ctx context.Context, address, id string) error {
	return r.command(ctx, "import", func(ctx context.Context) error {
		return r.withVariables(func(variables string) error {
			return r.cli.Import(ctx, address, id, importOptions(variables)...)
		})
	})
}
