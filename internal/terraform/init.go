package terraform

import (
	"context"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// initOptions does not set the upgrade option, because the dependency lock file determines the provider version.
func initOptions(provider *tfexec.ReattachOption) []tfexec.InitOption {
	return []tfexec.InitOption{tfexec.Upgrade(false), provider}
}

func (r *Run) initialise(ctx context.Context) error {
	return r.command(ctx, "init", func(ctx context.Context) error {
		provider, err := r.reattach(ctx)
		if err != nil {
			return err
		}
		return r.cli.Init(ctx, initOptions(provider)...)
	})
}
