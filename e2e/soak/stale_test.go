package soak

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// staleTimeout limits how long a state may stay locked and a process may be left over after the end of a phase.
const staleTimeout = time.Minute

// requireNoStaleLock waits until no state is locked. A lock that is not released within staleTimeout was left behind by a
// killed process.
func (h *harness) requireNoStaleLock() {
	h.t.Helper()
	h.requireNone("locks without a process to be released", func(ctx context.Context) (held []string, err error) {
		leases := &coordinationv1.LeaseList{}
		if err := h.Env.Client.List(ctx, leases, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		for _, lease := range leases.Items {
			if strings.HasPrefix(lease.Name, "lock-tfstate-default-") && ptr.Deref(lease.Spec.HolderIdentity, "") != "" {
				held = append(held, lease.Name)
			}
		}
		return held, nil
	})
}

// requireNoStaleProcess waits until each process of Terraform belongs to a run of the manager, and each process of a
// provider to a process of Terraform or to a run of the manager.
func (h *harness) requireNoStaleProcess() {
	h.t.Helper()
	h.requireNone("processes of killed runs to be gone", func(context.Context) (left []string, err error) {
		for _, process := range h.processes() {
			if process.stale() {
				left = append(left, process.String())
			}
		}
		return left, nil
	})
}

// requireNone waits at most staleTimeout until list returns nothing.
func (h *harness) requireNone(what string, list func(context.Context) ([]string, error)) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), staleTimeout)
	defer cancel()
	err := h.Env.Wait(ctx, what, func(ctx context.Context) (bool, string, error) {
		left, err := list(ctx)
		return len(left) == 0, strings.Join(left, ", "), err
	})
	if err != nil {
		h.fail("%v", err)
	}
}
