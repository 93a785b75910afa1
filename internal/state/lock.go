package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// infoAnnotation is the annotation of a Lease that contains Terraform's description of the lock and its holder.
const infoAnnotation = "app.terraform.io/lock-info"

// Lock is Terraform's own description of a lock and its holder.
type Lock struct {
	ID string
	// Who is user@host of the process that acquired the lock.
	Who       string
	Operation string
	Created   time.Time
}

// String returns the operation, the holder and the time for messages.
func (l Lock) String() string {
	return fmt.Sprintf("%s by %s since %s", l.Operation, l.Who, l.Created.Format(time.RFC3339))
}

// LockedError means that another process holds the lock of a state.
type LockedError struct {
	Lock Lock
	// Term is the term of the manager process whose run acquired the lock. It is empty if a user's own Terraform or CAPNT 0.1 acquired the
	// lock.
	Term string
	// Info is the description of the lock in Terraform's own format. It is empty if the holder wrote no description.
	Info []byte
}

// Error returns a message that names the holder of the lock.
func (e *LockedError) Error() string {
	return fmt.Sprintf("locking the state: it is locked for %s (lock id %s)", e.Lock, e.Lock.ID)
}

func newLease(key Key) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: key.lease().Namespace, Name: key.lease().Name, Labels: key.labels()}}
}

// readLease returns the Lease of the state that key identifies, or nil if the Lease does not exist.
func (s *Store) readLease(ctx context.Context, key Key) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	err := s.Reader.Get(ctx, key.lease(), lease)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading state lock %s: %w", key.lease(), err)
	}
	return lease, nil
}

// holder returns the lock that a Lease contains, or nil if the state is not locked.
func holder(lease *coordinationv1.Lease) *LockedError {
	if lease == nil || ptr.Deref(lease.Spec.HolderIdentity, "") == "" {
		return nil
	}
	held := &LockedError{Info: []byte(lease.Annotations[infoAnnotation])}
	// The state is locked even if the holder wrote no valid description of the lock.
	_ = json.Unmarshal(held.Info, &held.Lock)
	held.Lock.ID = *lease.Spec.HolderIdentity
	// Terraform's kubernetes backend keeps the annotation when it releases or acquires a lock, so the annotation may belong to an
	// earlier lock.
	if id, term, _ := strings.Cut(lease.Annotations[TermAnnotation], " "); id == held.Lock.ID {
		held.Term = term
	}
	return held
}

// acquire writes a lock into the Lease. It fails if the Lease has changed since lease was read.
func (s *Store) acquire(ctx context.Context, lease *coordinationv1.Lease, id string, info []byte) error {
	next := lease.DeepCopy()
	next.Spec.HolderIdentity = ptr.To(id)
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, infoAnnotation, string(info))
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, TermAnnotation, id+" "+s.Term)
	if err := s.Client.Update(ctx, next); err != nil {
		return fmt.Errorf("locking state %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	return nil
}

// release removes the lock with the ID id from the Lease. It does nothing if the state is not locked or is locked with another ID.
func (s *Store) release(ctx context.Context, key Key, id string) error {
	lease, err := s.readLease(ctx, key)
	if err != nil {
		return err
	}
	if held := holder(lease); held != nil && held.Lock.ID == id {
		if err := s.releaseLease(ctx, lease); err != nil {
			return err
		}
	}
	s.mark(id, false)
	return nil
}

// releaseLease removes the lock from a Lease. It fails if the Lease has changed since lease was read.
func (s *Store) releaseLease(ctx context.Context, lease *coordinationv1.Lease) error {
	lease.Spec.HolderIdentity = nil
	delete(lease.Annotations, infoAnnotation)
	delete(lease.Annotations, TermAnnotation)
	if err := s.Client.Update(ctx, lease); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("unlocking state %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	return nil
}

// breakStale removes the lock from the Lease with the given name if a manager acquired it and its run has ended.
func (s *Store) breakStale(ctx context.Context, name client.ObjectKey) error {
	lease := &coordinationv1.Lease{}
	if err := s.Reader.Get(ctx, name, lease); err != nil {
		return client.IgnoreNotFound(err)
	}
	held := holder(lease)
	if held == nil || held.Term == "" {
		return nil
	}
	stale, err := s.stale(ctx, held)
	if err != nil || !stale {
		return err
	}
	log.FromContext(ctx).Info("Removing a stale state lock", "lock", name, "held", held.Lock.String())
	return s.releaseLease(ctx, lease)
}

// stale reports whether the run that acquired a lock has ended. That is the case for a run of this process whose session is closed, for a
// run of an earlier leader after the time Store.Grace, and for a run for which Dead returns true.
func (s *Store) stale(ctx context.Context, held *LockedError) (bool, error) {
	if held.Term == s.Term {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.open[held.Lock.ID], nil
	}
	if Precedes(held.Term, s.Term) && time.Since(s.since) >= s.Grace {
		return true, nil
	}
	if s.Dead == nil {
		return false, nil
	}
	return s.Dead(ctx, held.Lock)
}

// mark records whether an open session of this process holds the lock with the ID id.
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
