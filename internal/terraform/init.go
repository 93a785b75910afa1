package terraform

import (
	"context"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// initOptions does not set the upgrade option, because the manager has started the provider and init installs none.
func initOptions(provider *tfexec.ReattachOption) []tfexec.InitOption {
	return []tfexec.InitOption{tfexec.Upgrade(false), provider}
}

func (r *Run) initialise(ctx context.Context) error {
	return r.providerCommand(ctx, "init", func(ctx context.Context, provider *tfexec.ReattachOption) error {
		return r.cli.Init(ctx, initOptions(provider)...)
	})
}
