package terraform

import "context"

// Forget removes the resources at addresses from the state. It does not change the infrastructure. It ignores an address that is not in
// the state.
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
