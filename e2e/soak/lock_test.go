package soak

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	lockPrefix = "lock-tfstate-default-"
	// staleAfter is how long a lock must be held without a process before it counts as stale. The process of a holder
	// exists before the lock is taken, so a single observation would suffice. The time is a safety margin.
	staleAfter = 2 * time.Second
)

// heldLock is a lock that no process holds.
type heldLock struct {
	id    string
	since time.Time
}

// takenAt returns the time at which Terraform took the lock, from the Lease.
func takenAt(lease *coordinationv1.Lease) time.Time {
	var info struct{ Created time.Time }
	_ = json.Unmarshal([]byte(lease.Annotations["app.terraform.io/lock-info"]), &info)
	return info.Created
}

// breakStaleLocks deletes the lock of a Terraform process that was killed while its manager kept running. The manager
// itself breaks locks from before its start.
func (h *harness) breakStaleLocks(ctx context.Context) {
	h.t.Helper()
	leases := &coordinationv1.LeaseList{}
	if h.Env.Client.List(ctx, leases, client.InNamespace(namespace)) != nil {
		return // the next call tries again
	}
	// This runs after the list, so a process with a lock in the list is either still running or was killed.
	working := map[string]bool{}
	for _, run := range runs(h.Env.ScratchDir(), h.Tool("bin/terraform")) {
		working[run.suffix] = true
	}
	held := map[string]heldLock{}
	for i := range leases.Items {
		lease := &leases.Items[i]
		id := ptr.Deref(lease.Spec.HolderIdentity, "")
		suffix, isLock := strings.CutPrefix(lease.Name, lockPrefix)
		if !isLock || id == "" || working[suffix] || takenAt(lease).Before(h.started) {
			continue
		}
		seen, known := h.locks[lease.Name]
		if !known || seen.id != id {
			seen = heldLock{id: id, since: time.Now()}
		}
		held[lease.Name] = seen
		if time.Since(seen.since) < staleAfter {
			continue
		}
		preconditions := client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion}
		if err := h.Env.Client.Delete(ctx, lease, preconditions); err == nil {
			h.counts["stale locks broken by the test"]++
			delete(held, lease.Name)
		}
	}
	h.locks = held
}
