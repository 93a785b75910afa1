// Package state stores the Terraform states of objects in the same format as Terraform's kubernetes backend: a state is a Secret, and its
// lock is a Lease. A user can therefore work with the same state through `backend "kubernetes"`, and the locks of both sides exclude each
// other.
//
// A Session gives one run access to one state. Terraform uses the session through its http backend (Session.ServeHTTP). When a session is
// closed, its lock is released. A process cannot write a state after another process has opened a session for the same state.
package state

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Names that Terraform's kubernetes backend uses for its Secrets and Leases, and for the content of the Secrets.
const (
	secretPrefix = "tfstate-default-"
	leasePrefix  = "lock-"
	contentKey   = "tfstate"
	stateLabel   = "tfstate"
	encodingKey  = "encoding"
)

// TermAnnotation is the annotation of a state Secret that contains the term of the only process that may write the state. A process sets
// the annotation before it reads or writes the state. This changes the resourceVersion, so later writes of earlier processes fail.
//
// On the Lease of a state, the annotation contains "<lock ID> <term>" of the process whose run acquired the lock.
const TermAnnotation = "infrastructure.cluster.x-k8s.io/state-term"

// Finalizer keeps the Secret and the Lease of a state until everything in the state is destroyed. Without the finalizer they would be
// deleted before their owner if their namespace is deleted, and nothing can be created in such a namespace.
const Finalizer = "infrastructure.cluster.x-k8s.io/terraformstate"

// maxContent is the maximum size of a compressed state in bytes. The kubernetes backend splits a larger state into several Secrets, which
// this package does not support. The state of an object describes one virtual machine and is much smaller.
const maxContent = 1 << 20

// Key identifies the state of one object.
type Key struct {
	Namespace, Suffix string
}

func (k Key) secret() client.ObjectKey {
	return client.ObjectKey{Namespace: k.Namespace, Name: secretPrefix + k.Suffix}
}

func (k Key) lease() client.ObjectKey {
	return client.ObjectKey{Namespace: k.Namespace, Name: leasePrefix + secretPrefix + k.Suffix}
}

// labels returns the labels by which the kubernetes backend finds its Secrets.
func (k Key) labels() map[string]string {
	return map[string]string{
		stateLabel: "true", "tfstateSecretSuffix": k.Suffix, "tfstateWorkspace": "default", "app.kubernetes.io/managed-by": "terraform",
	}
}

// Store opens sessions. It is safe for concurrent use.
type Store struct {
	// Client writes Secrets and Leases. Reader reads them without a cache, because states are large and must be current.
	Client client.Client
	Reader client.Reader
	// Term identifies this process among all processes that write the states. If it is empty, the first session sets it.
	Term string
	// Election is the Lease of the leader election, or nil if there is no leader election. The current leader uses it to recognize locks of
	// earlier leaders.
	Election *client.ObjectKey
	// Grace is how long an earlier leader may need to notice that this process has become the leader. Its process then ends with all its
	// runs. Until then its locks are not stale, unless Dead returns true. A leader that shuts down renews its Lease until its runs have
	// ended, so it needs no longer time.
	Grace time.Duration
	// Dead reports whether the run that acquired lock belongs to this installation and has ended. The store calls Dead only for a lock that
	// was acquired neither by this process nor by an earlier leader. If Dead is nil, such a lock is never considered stale.
	Dead func(ctx context.Context, lock Lock) (bool, error)

	mu    sync.Mutex
	since time.Time       // when the term began
	open  map[string]bool // IDs of the locks that open sessions of this process hold
	// unstored contains the states of objects that are being deleted and whose Secrets can neither be found nor created.
	unstored map[Key][]byte
}

// errTakenOver is the error of a write if another process has written the Secret in the meantime.
var errTakenOver = errors.New("another process has written the state since this run read it")

// errTooLarge is the error of a write of a state that does not fit into one Secret.
var errTooLarge = errors.New("the compressed state does not fit into a Secret")

// read returns the Secret of the state that key identifies, and the decoded state. If there is no state, content is empty. If the Secret
// does not exist, secret is nil.
func (s *Store) read(ctx context.Context, key Key) (secret *corev1.Secret, content []byte, err error) {
	secret, content, err = readSecret(ctx, s.Reader, key)
	if err == nil && secret == nil {
		return nil, s.readUnstored(key), nil
	}
	return secret, content, err
}

// Read returns the state that key identifies without a lock, for people who look at it. If there is no state, Read returns nil.
func Read(ctx context.Context, reader client.Reader, key Key) ([]byte, error) {
	_, content, err := readSecret(ctx, reader, key)
	return content, err
}

func readSecret(ctx context.Context, reader client.Reader, key Key) (secret *corev1.Secret, content []byte, err error) {
	secret = &corev1.Secret{}
	err = reader.Get(ctx, key.secret(), secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading state Secret %s: %w", key.secret(), err)
	}
	content, err = decode(secret.Data[contentKey])
	if err != nil {
		return nil, nil, fmt.Errorf("reading state Secret %s: %w", key.secret(), err)
	}
	return secret, content, nil
}

// write writes a state into secret. It fails with errTakenOver if the Secret has changed since secret was read.
func (s *Store) write(ctx context.Context, key Key, secret *corev1.Secret, content []byte) (*corev1.Secret, error) {
	compressed, err := encode(content)
	if err != nil {
		return nil, err
	}
	if len(compressed) >= maxContent {
		return nil, fmt.Errorf("writing state Secret %s of %d bytes: %w", key.secret(), len(compressed), errTooLarge)
	}
	next := secret.DeepCopy()
	next.Data = map[string][]byte{contentKey: compressed}
	err = s.Client.Update(ctx, next)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil, fmt.Errorf("writing state Secret %s: %w", key.secret(), errTakenOver)
	case err != nil:
		return nil, fmt.Errorf("writing state Secret %s: %w", key.secret(), err)
	}
	return next, nil
}

func newSecret(key Key) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: key.secret().Namespace, Name: key.secret().Name, Labels: key.labels(), Annotations: map[string]string{encodingKey: "gzip"}}}
}

func (s *Store) readUnstored(key Key) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unstored[key]
}

func (s *Store) writeUnstored(key Key, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unstored == nil {
		s.unstored = map[Key][]byte{}
	}
	s.unstored[key] = content
}

// Remove deletes the Secret and the Lease of a state. Everything in the state must have been destroyed.
func (s *Store) Remove(ctx context.Context, key Key) error {
	for _, object := range []client.Object{newSecret(key), newLease(key)} {
		if err := s.remove(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %T %s of a state: %w", object, client.ObjectKeyFromObject(object), err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unstored, key)
	return nil
}

// remove deletes an object first and then removes its finalizer, so that an interrupted removal leaves an object with its finalizer.
func (s *Store) remove(ctx context.Context, object client.Object) error {
	if err := s.Client.Delete(ctx, object); err != nil {
		return err
	}
	if err := s.Reader.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	return s.releaseObject(ctx, object)
}

// releaseObject removes the finalizer from an object. It fails if the object has changed since it was read, because the patch replaces
// the whole list of finalizers.
func (s *Store) releaseObject(ctx context.Context, object client.Object) error {
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	if !controllerutil.RemoveFinalizer(object, Finalizer) {
		return nil
	}
	return s.Client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func encode(content []byte) ([]byte, error) {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	_, err := writer.Write(content)
	if err := errors.Join(err, writer.Close()); err != nil {
		return nil, fmt.Errorf("compressing the state: %w", err)
	}
	return compressed.Bytes(), nil
}

func decode(compressed []byte) ([]byte, error) {
	switch {
	case len(compressed) == 0:
		return nil, nil
	case len(compressed) >= maxContent:
		return nil, errors.New("the state is stored in several Secrets, which only a state of more than one object needs")
	}
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("decompressing the state: %w", err)
	}
	content, err := io.ReadAll(reader)
	if err := errors.Join(err, reader.Close()); err != nil {
		return nil, fmt.Errorf("decompressing the state: %w", err)
	}
	return content, nil
}
