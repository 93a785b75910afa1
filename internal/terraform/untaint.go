package terraform

import "context"

// Untaint removes the taint from the resource at address, so that the next plan does not replace the resource.
func (r *Run) Untaint(ctx context.Context, address string) error {
	return r.command(ctx, "untaint", func(ctx context.Context) error {
		return r.cli.Untaint(ctx, address)
	})
}
