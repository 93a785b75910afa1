package terraform

import "context"

// Untaint takes the mark from address that makes the next plan replace it.
func (r *Run) Untaint(ctx context.Context, address string) error {
	return r.command(ctx, "untaint", func(ctx context.Context) error {
		return r.cli.Untaint(ctx, address)
	})
}
