package terraform

import "context"

// Unlock breaks the state lock with the given id. Only the lock of a dead run of ours may be broken; whose it is says
// LockInfo.
func (r *Run) Unlock(ctx context.Context, lockID string) error {
	return r.command(ctx, "force-unlock", func(ctx context.Context) error {
		return r.cli.ForceUnlock(ctx, lockID)
	})
}
