package soak

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// electionLease is the Lease of the leader election.
var electionLease = client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "controller-leader-election-capnt"}

// begin starts a fault that a request of the VM named vm has triggered. It returns false if the victim is not running.
// Otherwise the caller must call end, which waits until the fault has ended and starts a manager if none is running.
func (h *harness) begin(ctx context.Context, f fault, vm string) (end func(context.Context), ok bool) {
	h.t.Helper()
	switch f.victim {
	case manager:
		require.NoError(h.t, h.Env.KillManager())
	case terraform, provider:
		ok := h.killRun(f.victim, vm)
		return func(context.Context) {}, ok
	case container, pod:
		require.NoError(h.t, h.Env.KillManager())
		h.killProcesses()
		if f.victim == pod {
			h.emptyScratch()
		}
	case leader:
		return h.suspendLeader(ctx, f.hold), true
	case apiServer:
		return h.interruptAPIServer(f.suspend), true
	}
	return h.startManager, true
}

// killRun kills the process of the given kind that runs for the VM named vm, or any process of this kind if there is no
// such run. It waits until the process has exited. It returns false if no process was killed.
func (h *harness) killRun(kind victim, vm string) bool {
	h.t.Helper()
	var chosen *process
	for _, process := range h.processes() {
		if process.kind == kind && (chosen == nil || vm != "" && process.of(vm)) {
			chosen = &process
		}
	}
	if chosen == nil || syscall.Kill(chosen.pid, syscall.SIGKILL) != nil {
		return false
	}
	h.wait("a killed "+string(kind)+" to be gone", func() bool { return !alive(chosen.pid) })
	return true
}

// killProcesses kills all processes of runs, as the end of a PID namespace does.
func (h *harness) killProcesses() {
	h.t.Helper()
	h.wait("the processes of the container to be gone", func() bool {
		left := h.processes()
		for _, process := range left {
			_ = syscall.Kill(process.pid, syscall.SIGKILL) // the process may have exited
		}
		return len(left) == 0
	})
}

func (h *harness) emptyScratch() {
	h.t.Helper()
	entries, err := os.ReadDir(h.Env.ScratchDir())
	require.NoError(h.t, err)
	for _, entry := range entries {
		require.NoError(h.t, os.RemoveAll(filepath.Join(h.Env.ScratchDir(), entry.Name())))
	}
}

// suspendLeader suspends the manager. end starts another manager with another gateway address, waits until it is the leader
// and has led for the duration lead, and then lets the first manager continue, which must exit.
func (h *harness) suspendLeader(ctx context.Context, lead time.Duration) (end func(context.Context)) {
	h.t.Helper()
	before := h.leader(ctx)
	resume, err := h.Env.SuspendManager(ctx)
	require.NoError(h.t, err)
	return func(ctx context.Context) {
		h.t.Helper()
		h.second = !h.second
		h.startManager(ctx)
		h.wait("another manager to be the leader", func() bool {
			now := h.leader(ctx)
			return now != "" && now != before
		})
		<-time.After(lead)
		ctx, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		require.NoError(h.t, resume(ctx))
	}
}

// leader returns the identity of the leader, or an empty string if there is none or the Lease cannot be read.
func (h *harness) leader(ctx context.Context) string {
	lease := &coordinationv1.Lease{}
	if h.Env.Client.Get(ctx, electionLease, lease) != nil {
		return ""
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// interruptAPIServer makes the API server unavailable. end makes it available again after the duration of the flag -outage.
func (h *harness) interruptAPIServer(suspend bool) (end func(context.Context)) {
	h.t.Helper()
	resume, err := h.Env.InterruptAPIServer(suspend)
	require.NoError(h.t, err)
	over := time.After(*outage)
	return func(ctx context.Context) {
		h.t.Helper()
		<-over
		require.NoError(h.t, resume(ctx))
		h.restartManager(ctx)
	}
}

// wait waits until done returns true.
func (h *harness) wait(what string, done func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	require.NoError(h.t, h.Env.Wait(ctx, what, func(context.Context) (bool, string, error) { return done(), "", nil }))
}
