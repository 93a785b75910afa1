package terraform

import "context"

// Forget removes addresses from the state without changing the infrastructure. It ignores addresses that are not in the state.
func (r *Run) Forget(ctx context.Context, addresses ...string) error {
	state, err := r.State(ctx)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if !state.Has(address) {
			continue
		}
		err := r.command(ctx, "state rm", func(ctx context.Context) error {
			return r.cli.StateRm(ctx, address)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
