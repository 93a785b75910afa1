package state

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// infoAnnotation contains, on a Lease, what Terraform says of the holder of the lock.
const infoAnnotation = "app.terraform.io/lock-info"

// Lock describes the holder of a lock, in Terraform's own format.
type Lock struct {
	ID string
	// Who is user@host of the process that took the lock.
	Who       string
	Operation string
	Created   time.Time
}

// String returns operation, holder and time, for messages.
func (l Lock) String() string {
	return fmt.Sprintf("%s by %s since %s", l.Operation, l.Who, l.Created.Format(time.RFC3339))
}

// LockedError says that somebody else holds the lock of a state.
type LockedError struct {
	Lock Lock
	// Term is the term of the process that took the lock for one of its runs. It is empty if a Terraform at a terminal, or one of CAPNT
	// 0.1, took it.
	Term string
	// Info is the lock in Terraform's own format. It is empty if the holder did not describe itself.
	Info []byte
}

// Error returns the holder of the lock.
func (e *LockedError) Error() string {
	return fmt.Sprintf("locking the state: it is locked for %s (lock id %s)", e.Lock, e.Lock.ID)
}

func newLease(key Key) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: key.lease().Namespace, Name: key.lease().Name}}
}

// readLease reads the Lease of a state. It is nil if there is none.
func (s *Store) readLease(ctx context.Context, key Key) (*coordinationv1.Lease, error) {
	lease := newLease(key)
	err := s.Reader.Get(ctx, key.lease(), lease)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading state lock %s: %w", key.lease(), err)
	}
	return lease, nil
}

// holder returns the lock that a Lease contains, nil if it is not locked.
func holder(lease *coordinationv1.Lease) *LockedError {
	if lease == nil || ptr.Deref(lease.Spec.HolderIdentity, "") == "" {
		return nil
	}
	held := &LockedError{Info: []byte(lease.Annotations[infoAnnotation])}
	// Whoever took the lock without a description holds it all the same.
	_ = json.Unmarshal(held.Info, &held.Lock)
	held.Lock.ID, held.Term = *lease.Spec.HolderIdentity, lease.Annotations[TermAnnotation]
	return held
}

// acquire writes a lock into the Lease as it was read.
func (s *Store) acquire(ctx context.Context, key Key, lease *coordinationv1.Lease, id string, info []byte) error {
	next := newLease(key)
	next.Labels = key.labels()
	if lease != nil {
		next = lease.DeepCopy()
	}
	next.Spec.HolderIdentity = ptr.To(id)
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, infoAnnotation, string(info))
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, TermAnnotation, s.Term)
	var err error
	if lease == nil {
		err = s.Client.Create(ctx, next)
	} else {
		err = s.Client.Update(ctx, next)
	}
	if err != nil {
		return fmt.Errorf("locking state %s: %w", key.lease(), err)
	}
	s.mark(id, true)
	return nil
}

// release removes the lock of that ID from the Lease. A lock that has another holder by now, or none, is left.
func (s *Store) release(ctx context.Context, key Key, id string) error {
	lease, err := s.readLease(ctx, key)
	if err != nil {
		return err
	}
	if held := holder(lease); held != nil && held.Lock.ID == id {
		lease.Spec.HolderIdentity = nil
		delete(lease.Annotations, infoAnnotation)
		delete(lease.Annotations, TermAnnotation)
		if err := s.Client.Update(ctx, lease); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("unlocking state %s: %w", key.lease(), err)
		}
	}
	s.mark(id, false)
	return nil
}

// stale reports whether a lock belongs to a run that has ended: a run of this process whose session is closed, a run of an earlier leader,
// or a run that Dead recognizes.
func (s *Store) stale(ctx context.Context, held *LockedError) (bool, error) {
	if held.Term == s.Term {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.open[held.Lock.ID], nil
	}
	if precedes(held.Term, s.Term) {
		return true, nil
	}
	if s.Dead == nil {
		return false, nil
	}
	return s.Dead(ctx, held.Lock)
}

// mark notes whether an open session of this process holds the lock of that ID.
func (s *Store) mark(id string, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]bool{}
	}
	if held {
		s.open[id] = true
	} else {
		delete(s.open, id)
	}
}
