package terraform

import (
	"context"

	"github.com/hashicorp/terraform-exec/tfexec"
)

func importOptions(provider *tfexec.ReattachOption, variables string) []tfexec.ImportOption {
	if variables == "" {
		return []tfexec.ImportOption{provider}
	}
	return []tfexec.ImportOption{provider, tfexec.VarFile(variables)}
}

// Import imports existing infrastructure with the ID id into the state, as the resource at address. Import changes the state immediately,
// without a plan. To import with a plan, use an import block.
func (r *Run) Import(ctx context.Context, address, id string) error {
	return r.providerCommand(ctx, "import", func(ctx context.Context, provider *tfexec.ReattachOption) error {
		return r.withVariables(func(variables string) error {
			return r.cli.Import(ctx, address, id, importOptions(provider, variables)...)
		})
	})
}
