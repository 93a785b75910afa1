package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/capnt/capnt/internal/state"
	"github.com/capnt/capnt/internal/terraform"
)

// Holders determines whether the holder of a state lock has ended without releasing the lock. Terraform writes user@host and the time
// into a lock. Only one manager of an installation runs at a time. Therefore a lock of this installation is stale in two cases: it was
// acquired on this host before this process started, or it was acquired in a pod of this Deployment and the pod no longer exists. Locks in
// a backend that other installations may use must also be recorded (see stateRuns).
type Holders struct {
	// Host is the name of this host. In a pod it is the name of the pod. Started is the start time of this process.
	Host    string
	Started time.Time
	// Reader and Namespace are used to look up the pods of the Deployment. If Namespace is empty, only locks of this host can be stale.
	Reader    client.Reader
	Namespace string
	// Client records runs on objects. If it is nil, no lock in a backend other than kubernetes is considered stale.
	Client client.Client
	// Pod is the name of this pod. If Host is different, the pod uses the host name of its node, which other processes may share. In that
	// case no lock is considered stale.
	Pod string
}

// ownHost reports whether no process of another container can have the host name of this process.
func (h *Holders) ownHost() bool { return h.Namespace == "" || h.Pod == h.Host }

// Dead reports whether lock is stale: a manager of this installation started the run that acquired the lock, and that run has ended. Only
// processes of this management cluster may use the state.
func (h *Holders) Dead(ctx context.Context, lock *terraform.LockInfo) (bool, error) {
	_, host, ok := strings.Cut(lock.Who, "@")
	if !ok || !h.ownHost() {
		return false, nil
	}
	if host == h.Host {
		return !lock.Created.IsZero() && lock.Created.Before(h.Started), nil
	}
	if h.Namespace == "" || deployment(host) == "" || deployment(host) != deployment(h.Host) {
		return false, nil
	}
	err := h.Reader.Get(ctx, client.ObjectKey{Namespace: h.Namespace, Name: host}, &corev1.Pod{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, client.IgnoreNotFound(err)
}

// deployment returns the name of the Deployment that a pod belongs to: the name of the pod without its two generated parts. It returns an
// empty string if pod is not the name of a pod of a Deployment.
func deployment(pod string) string {
	parts := strings.Split(pod, "-")
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], "-")
}

// breakDeadLock handles a run that failed with the error cause. If cause is a stale lock, breakDeadLock removes the lock, and the
// returned outcome lets the run be repeated at once. Otherwise the outcome is a failure. If workspace is nil, because it could not be
// opened, no lock can be removed.
func (p *Pipeline) breakDeadLock(ctx context.Context, target Target, workspace Workspace, cause error) outcome {
	failure := failed{err: cause}
	var held *terraform.Error
	if p.Holders == nil || workspace == nil || !errors.As(cause, &held) || held.Class != terraform.LockHeld || held.Lock == nil {
		return failure
	}
	dead, err := p.Holders.ended(ctx, held.Lock, target.runs)
	if err != nil {
		log.FromContext(ctx).Error(err, "Failed to find out whether the holder of a state lock is dead", "holder", held.Lock.Who)
	}
	if err != nil || !dead {
		return failure
	}
	if err := workspace.Unlock(ctx, held.Lock.ID); err != nil {
		return failed{err: fmt.Errorf("breaking the lock of a dead run of %s: %w", target.Kind, err)}
	}
	return unlocked{lock: state.Lock(*held.Lock).String()}
}
