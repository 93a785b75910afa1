package terraform

import "context"

// Unlock breaks the state lock with the ID. Callers may break only the lock of a dead run of this installation, see LockInfo.
func (r *Run) Unlock(ctx context.Context, lockID string) error {
	return r.command(ctx, "force-unlock", func(ctx context.Context) error {
		return r.cli.ForceUnlock(ctx, lockID)
	})
}
