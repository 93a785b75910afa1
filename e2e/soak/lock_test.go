package soak

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lockTimeout limits how long a state may stay locked after the end of a phase.
const lockTimeout = time.Minute

// requireNoStaleLock waits until no state is locked. A lock that is not released within lockTimeout was left behind by a
// killed process.
func (h *harness) requireNoStaleLock() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	err := h.Env.Wait(ctx, "locks without a process to be released", func(ctx context.Context) (bool, string, error) {
		leases := &coordinationv1.LeaseList{}
		if err := h.Env.Client.List(ctx, leases, client.InNamespace(namespace)); err != nil {
			return false, "", err
		}
		var held []string
		for _, lease := range leases.Items {
			if strings.HasPrefix(lease.Name, "lock-tfstate-default-") && ptr.Deref(lease.Spec.HolderIdentity, "") != "" {
				held = append(held, lease.Name)
			}
		}
		return len(held) == 0, strings.Join(held, ", "), nil
	})
	if err != nil {
		h.fail("%v", err)
	}
}
