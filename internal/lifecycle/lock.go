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

	"github.com/capnt/capnt/internal/terraform"
)

// Holders tells dead runs of ours from everybody else by what Terraform writes into a lock: user@host and the time. One
// manager runs at a time, so a lock taken on this host before this manager started, or in a pod of this Deployment that
// does not exist any more, belongs to nobody.
type Holders struct {
	// Host is this host's name, in a pod the pod's name; Started is when this process started.
	Host    string
	Started time.Time
	// Reader and Namespace find the pods of the Deployment; without a namespace only this host is known.
	Reader    client.Reader
	Namespace string
	// Pod is the name of this pod. When it is not Host's as well, the pod goes by its node's name, which it shares with
	// whoever else works there: then nobody is called dead.
	Pod string
}

// Dead reports whether the lock was held by a run of ours that is dead.
func (h *Holders) Dead(ctx context.Context, lock *terraform.LockInfo) (bool, error) {
	_, host, ok := strings.Cut(lock.Who, "@")
	if !ok || h.Namespace != "" && h.Pod != h.Host {
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

// deployment cuts the two generated parts off the name of a pod of a Deployment; it is empty for other names.
func deployment(pod string) string {
	parts := strings.Split(pod, "-")
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], "-")
}

// breakDeadLock turns the failure of a run into its outcome. If the failure is a lock that a dead run of ours left behind,
// the lock is broken and the run may be repeated at once. workspace is nil where not even that could be opened, because the
// run died while it made the first, empty state.
func (p *Pipeline) breakDeadLock(ctx context.Context, target Target, workspace Workspace, cause error) outcome {
	failure := failed{err: cause}
	var held *terraform.Error
	if p.Holders == nil || !errors.As(cause, &held) || held.Class != terraform.LockHeld || held.Lock == nil {
		return failure
	}
	dead, err := p.Holders.Dead(ctx, held.Lock)
	if err != nil {
		log.FromContext(ctx).Error(err, "Failed to find out whether the holder of a state lock is dead", "holder", held.Lock.Who)
	}
	if err != nil || !dead {
		return failure
	}
	unlock := func() error { return p.State.Unlock(ctx, target, held.Lock.ID) }
	if workspace != nil {
		unlock = func() error { return workspace.Unlock(ctx, held.Lock.ID) }
	}
	if err := unlock(); err != nil {
		return failed{err: fmt.Errorf("breaking the lock of a dead run of %s: %w", target.Kind, err)}
	}
	return unlocked{lock: fmt.Sprintf("%s by %s since %s", held.Lock.Operation, held.Lock.Who, held.Lock.Created.Format(time.RFC3339))}
}
