package terraform

import "context"

// Unlock removes the lock with the ID lockID from the state. The run that acquired the lock must have ended, and it must be a run of this
// installation: otherwise two runs could write the state at the same time.
func (r *Run) Unlock(ctx context.Context, lockID string) error {
	return r.command(ctx, "force-unlock", func(ctx context.Context) error {
		return r.cli.ForceUnlock(ctx, lockID)
	})
}
