package terraform

import "context"

// Forget removes addresses from the state and leaves the real objects alone. An address that the state does not hold is
// already forgotten.
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
