package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// outage is the maximum time for which a write is retried while the API server does not respond. A run that is interrupted may write
	// its state and release its lock one after the other, and both have to fit into the manager's default shutdown timeout of three minutes.
	outage = 80 * time.Second
	// retryInterval is the time between two attempts of a write.
	retryInterval = time.Second
	// closeTimeout is the maximum time for which Close waits for the API server.
	closeTimeout = 5 * time.Second
)

// Session gives one run access to one state. Its methods are safe for concurrent use. Callers must close it.
type Session struct {
	states *Store
	key    Key
	owner  client.Object

	mu sync.Mutex
	// secret is the Secret as the run last read or wrote it. A write fails if the Secret has changed since. secret is nil if the object is
	// being deleted and the Secret can neither be found nor created. The state is then only in memory.
	secret *corev1.Secret
	// lock is the ID of the lock that the run holds, or empty if it holds none.
	lock   string
	closed bool
	broken *Lock
}

// errClosed is the error of a request to a session that is closed.
var errClosed = errors.New("using a Terraform state: its run has ended")

// Open starts a session for a run and prevents earlier processes from writing the state. It returns a *LockedError if another process
// holds the lock. Open removes a stale lock, and Session.Broken returns the removed lock. owner becomes an owner of the Secret and the
// Lease, so that clusterctl moves the Secret together with owner. Both get Finalizer.
//
// If owner is being deleted and its namespace too, a missing Secret or Lease cannot be created. The session then keeps the state in the
// memory of the store until Remove. If no Lease exists, nobody else can acquire the lock.
func (s *Store) Open(ctx context.Context, key Key, owner client.Object) (*Session, error) {
	if err := s.setTerm(ctx); err != nil {
		return nil, err
	}
	session := &Session{states: s, key: key, owner: owner}
	if err := session.open(ctx); err != nil {
		session.Close(ctx)
		return nil, err
	}
	return session, nil
}

func (s *Session) open(ctx context.Context) error {
	lease, err := s.states.readLease(ctx, s.key)
	if err != nil {
		return err
	}
	held := holder(lease)
	if held != nil {
		stale, err := s.states.stale(ctx, held)
		switch {
		case err != nil:
			return fmt.Errorf("checking whether the holder of state lock %s has ended: %w", s.key.lease(), err)
		case !stale:
			return held
		}
	}
	// takeOver is called before the lock is removed, so that the earlier run cannot write the state any more.
	content, err := s.takeOver(ctx)
	if err != nil {
		return err
	}
	if _, err := s.protectLease(ctx, lease); err != nil {
		return err
	}
	if held != nil {
		if err := s.states.release(ctx, s.key, held.Lock.ID); err != nil {
			return err
		}
		s.broken = &held.Lock
	}
	_, containsUserData, err := withoutUserData(content)
	if err != nil {
		return fmt.Errorf("reading state Secret %s: %w", s.key.secret(), err)
	}
	if containsUserData {
		return s.Edit(ctx, "removal of user data", increase)
	}
	return nil
}

// takeOver writes the term into the Secret, so that writes of earlier processes fail. It creates the Secret if it does not exist. It
// returns the state in the Secret.
func (s *Session) takeOver(ctx context.Context) (content []byte, err error) {
	secret, content, err := s.states.read(ctx, s.key)
	if err != nil {
		return nil, err
	}
	claimed := newSecret(s.key)
	if secret != nil {
		claimed = secret.DeepCopy()
	}
	if Precedes(s.states.Term, claimed.Annotations[TermAnnotation]) {
		return nil, fmt.Errorf("taking over state Secret %s: %w", s.key.secret(), errTakenOver)
	}
	changed := claimed.Annotations[TermAnnotation] != s.states.Term
	metav1.SetMetaDataAnnotation(&claimed.ObjectMeta, TermAnnotation, s.states.Term)
	stored, err := s.protect(ctx, claimed, changed)
	if err != nil {
		return nil, fmt.Errorf("taking over state Secret %s: %w", s.key.secret(), err)
	}
	if s.secret = nil; stored {
		s.secret = claimed
	}
	return content, nil
}

// protectLease writes owner and finalizer into the Lease. It creates the Lease if lease is nil. It returns nil if the Lease cannot be
// created, see protect.
func (s *Session) protectLease(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	if lease == nil {
		lease = newLease(s.key)
	}
	stored, err := s.protect(ctx, lease, false)
	if err != nil {
		return nil, fmt.Errorf("protecting state lock %s: %w", s.key.lease(), err)
	}
	if !stored {
		return nil, nil
	}
	return lease, nil
}

// protect adds owner and finalizer to an object and writes it if changed is true or something was added. It creates the object if the
// object was not read from the API server. stored is false if the object cannot be created because its namespace is being deleted. This
// is an error unless the owner is being deleted, too.
func (s *Session) protect(ctx context.Context, object client.Object, changed bool) (stored bool, err error) {
	owners := slices.Clone(object.GetOwnerReferences())
	if err := controllerutil.SetOwnerReference(s.owner, object, s.states.Client.Scheme()); err != nil {
		return false, err
	}
	changed = changed || !equality.Semantic.DeepEqual(owners, object.GetOwnerReferences())
	// The API server refuses to add a finalizer to an object that is being deleted.
	if object.GetDeletionTimestamp().IsZero() && controllerutil.AddFinalizer(object, Finalizer) {
		changed = true
	}
	switch {
	case object.GetResourceVersion() == "":
		err = s.states.Client.Create(ctx, object)
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) && !s.owner.GetDeletionTimestamp().IsZero() {
			return false, nil
		}
	case changed:
		err = s.states.Client.Update(ctx, object)
	}
	return err == nil, err
}

// Broken returns the stale lock that Open has removed, or nil if there was none.
func (s *Session) Broken() *Lock { return s.broken }

// Read returns the state in Terraform's own format. If there is no state, the result is empty.
func (s *Session) Read(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	_, content, err := s.states.read(ctx, s.key)
	return content, err
}

// Lock acquires the lock with the ID id for the run. info describes the run in Terraform's own format. If the run already holds a lock,
// the new lock replaces it: a run executes one Terraform command at a time, so the command that acquired the old lock has ended.
func (s *Session) Lock(ctx context.Context, id string, info []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	lease, err := s.states.readLease(ctx, s.key)
	if err != nil {
		return err
	}
	if held := holder(lease); held != nil && held.Lock.ID != id && held.Lock.ID != s.lock {
		return held
	}
	if lease == nil {
		if lease, err = s.protectLease(ctx, nil); err != nil {
			return err
		}
	}
	// The Secret is read before the lock is acquired, because a process that is no longer the leader must not acquire it. A process that takes
	// over the state later also acquires the lock later, and then changes the Lease.
	if err := s.prepareWrite(ctx); err != nil {
		return err
	}
	s.states.mark(id, true) // before the lock is acquired, so that the sweeper does not break it
	if lease != nil {
		if err := s.states.acquire(ctx, lease, id, info); err != nil {
			s.states.mark(id, false)
			return err
		}
	}
	if s.lock != "" && s.lock != id {
		s.states.mark(s.lock, false)
	}
	s.lock = id
	return nil
}

// prepareWrite reads the Secret into which the run may write the state from now on. It creates the Secret if somebody has deleted it.
func (s *Session) prepareWrite(ctx context.Context) (err error) {
	if s.secret, _, err = s.states.read(ctx, s.key); err != nil {
		return err
	}
	if s.secret == nil {
		_, err = s.takeOver(ctx)
		return err
	}
	if s.secret.Annotations[TermAnnotation] != s.states.Term {
		return fmt.Errorf("locking state %s: %w", s.key.lease(), errTakenOver)
	}
	return nil
}

// Unlock releases the lock with the ID id.
func (s *Session) Unlock(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == "" || s.lock != id {
		return fmt.Errorf("unlocking state %s: this run does not hold lock %s", s.key.lease(), id)
	}
	return s.unlock(ctx)
}

func (s *Session) unlock(ctx context.Context) error {
	if err := retry(ctx, func(ctx context.Context) error { return s.states.release(ctx, s.key, s.lock) }); err != nil {
		return err
	}
	s.lock = ""
	return nil
}

// Write stores a state without its user data. The run must hold the lock with the ID id.
func (s *Session) Write(ctx context.Context, id string, content []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case s.lock == "" || s.lock != id:
		return fmt.Errorf("writing state %s: this run does not hold its lock", s.key.secret())
	}
	clean, _, err := withoutUserData(content)
	if err != nil {
		return fmt.Errorf("writing state %s: %w", s.key.secret(), err)
	}
	return retry(ctx, func(ctx context.Context) error { return s.store(ctx, clean) })
}

// store makes one attempt to write the state. If the write conflicts, store reads the Secret again. It returns no error if an earlier
// attempt has stored the state and only its response was lost. If only the metadata have changed, store writes once more.
func (s *Session) store(ctx context.Context, content []byte) error {
	if s.secret == nil {
		s.states.writeUnstored(s.key, content)
		return nil
	}
	secret, err := s.states.write(ctx, s.key, s.secret, content)
	if errors.Is(err, errTakenOver) {
		present, stored, readErr := s.states.read(ctx, s.key)
		switch {
		case readErr != nil || present == nil || present.Annotations[TermAnnotation] != s.states.Term:
		case bytes.Equal(stored, content):
			secret, err = present, nil
		case bytes.Equal(present.Data[contentKey], s.secret.Data[contentKey]):
			secret, err = s.states.write(ctx, s.key, present, content)
		}
	}
	if err == nil {
		s.secret = secret
	}
	return err
}

// retry repeats write while the API server does not respond. A state that cannot be written before the run ends is lost.
func retry(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outage)
	defer cancel()
	var err error
	_ = wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
		err = write(ctx)
		return err == nil || !transient(err), nil
	})
	return err
}

// transient reports whether a request failed because the API server was unreachable or overloaded.
func transient(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return !errors.Is(err, errTakenOver) && !errors.Is(err, errTooLarge)
	}
	return apierrors.IsConflict(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
}

// Edit changes the state without Terraform. It acquires a lock for the duration of the change. change returns the new state, which must
// have a higher serial.
func (s *Session) Edit(ctx context.Context, operation string, change func(content []byte) ([]byte, error)) error {
	id := uuid.NewString()
	if err := s.Lock(ctx, id, describe(id, operation)); err != nil {
		return err
	}
	content, err := s.Read(ctx)
	if err == nil {
		content, err = change(content)
	}
	if err == nil {
		err = s.Write(ctx, id, content)
	}
	return errors.Join(err, s.Unlock(ctx, id))
}

// Push stores a state that an earlier run could not write. It returns ErrRefused if another state has been written since.
func (s *Session) Push(ctx context.Context, content []byte) error {
	return s.Edit(ctx, "state push", func(present []byte) ([]byte, error) { return content, follows(content, present) })
}

// Close ends the session. If a Terraform command has left a lock, Close releases the lock. Close may be called on a nil session.
func (s *Session) Close(ctx context.Context) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed = true; s.lock == "" {
		return
	}
	id := s.lock
	s.states.mark(id, false)
	release := func(ctx context.Context) error { return s.states.release(ctx, s.key, id) }
	once, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if release(once) == nil {
		return
	}
	// The lock is released in a goroutine, so that the caller waits at most closeTimeout if the API server does not respond. If this process
	// ends before, a later process removes the stale lock.
	go func() {
		if err := retry(ctx, release); err != nil {
			log.FromContext(ctx).Error(err, "Failed to release a state lock, the next run breaks it", "lock", s.key.lease())
		}
	}()
}
