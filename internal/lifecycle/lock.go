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

// Holders recognises locks of runs that a manager left behind when it died. Terraform writes user@host and the time into a lock.
// Only one manager runs at a time, so a lock is stale if it was taken on this host before this manager started, or in a pod of
// this Deployment that does not exist any more.
type Holders struct {
	// Host is the name of this host, in a pod the name of the pod. Started is the start time of this process.
	Host    string
	Started time.Time
	// Reader and Namespace find the pods of the Deployment. Without a namespace only locks of this host are recognised.
	Reader    client.Reader
	Namespace string
	// Pod is the name of this pod. If Host differs, the pod uses the host name of its node, which other processes may share. In
	// that case no lock counts as stale.
	Pod string
}

// Dead reports whether a dead run of a manager of this installation holds the lock.
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

// deployment removes the two generated parts from the name of a pod of a Deployment. It returns an empty string for other names.
func deployment(pod string) string {
	parts := strings.Split(pod, "-")
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], "-")
}

// breakDeadLock returns the outcome of a run that failed. If a dead run of this installation holds the lock, breakDeadLock breaks
// the lock, and the run may be repeated at once. workspace is nil if it could not be opened. Then no lock can be broken.
func (p *Pipeline) breakDeadLock(ctx context.Context, target Target, workspace Workspace, cause error) outcome {
	failure := failed{err: cause}
	var held *terraform.Error
	if p.Holders == nil || workspace == nil || !errors.As(cause, &held) || held.Class != terraform.LockHeld || held.Lock == nil {
		return failure
	}
	dead, err := p.Holders.Dead(ctx, held.Lock)
	if err != nil {
		log.FromContext(ctx).Error(err, "Failed to find out whether the holder of a state lock is dead", "holder", held.Lock.Who)
	}
	if err != nil || !dead {
		return failure
	}
	if err := workspace.Unlock(ctx, held.Lock.ID); err != nil {
		return failed{err: fmt.Errorf("breaking the lock of a dead run of %s: %w", target.Kind, err)}
	}
	return unlocked{lock: fmt.Sprintf("%s by %s since %s", held.Lock.Operation, held.Lock.Who, held.Lock.Created.Format(time.RFC3339))}
}
