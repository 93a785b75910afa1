package terraform

import (
	"context"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// initOptions does not set the upgrade option, because the dependency lock file determines the provider version.
func initOptions() []tfexec.InitOption {
	return []tfexec.InitOption{tfexec.Upgrade(false)}
}

func (r *Run) initialise(ctx context.Context) error {
	return r.command(ctx, "init", func(ctx context.Context) error {
		return r.cli.Init(ctx, initOptions()...)
	})
}
