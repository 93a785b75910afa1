// Package state stores the Terraform states of objects as Terraform's kubernetes backend does: a state is a Secret, and its lock
// is a Lease. A person with `backend "kubernetes"` at a terminal reads, locks and is locked out as by another Terraform.
//
// A Session gives one run access to one state. Terraform reaches it through its http backend (Session.ServeHTTP). No lock
// outlives its session, and no write succeeds after another process has taken the state over.
package state

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Names that Terraform's kubernetes backend gives to its objects, their labels and their content.
const (
	secretPrefix = "tfstate-default-"
	leasePrefix  = "lock-"
	contentKey   = "tfstate"
	encodingKey  = "encoding"
)

// TermAnnotation names, on a Secret with a state, the process that may write it. A process writes it before anything else, so that
// writes of earlier processes fail because of their resourceVersion.
const TermAnnotation = "infrastructure.cluster.x-k8s.io/state-term"

// maxContent is the size of a compressed state in bytes up to which the kubernetes backend stores it in one Secret. The state of
// an object describes one virtual machine and is far smaller.
const maxContent = 1 << 20

// Key names the state of one object.
type Key struct {
	Namespace, Suffix string
}

func (k Key) secret() client.ObjectKey {
	return client.ObjectKey{Namespace: k.Namespace, Name: secretPrefix + k.Suffix}
}

func (k Key) lease() client.ObjectKey {
	return client.ObjectKey{Namespace: k.Namespace, Name: leasePrefix + secretPrefix + k.Suffix}
}

// labels are those by which the kubernetes backend finds its Secrets.
func (k Key) labels() map[string]string {
	return map[string]string{
		"tfstate": "true", "tfstateSecretSuffix": k.Suffix, "tfstateWorkspace": "default", "app.kubernetes.io/managed-by": "terraform",
	}
}

// Store opens sessions. It is safe for concurrent use.
type Store struct {
	// Client writes. Reader reads past any cache, because states are large and have to be current.
	Client client.Client
	Reader client.Reader
	// Term identifies this process among all that have written the states. If it is empty, the first session sets it.
	Term string
	// Election is the Lease of the leader election, with which a leader recognizes the locks of earlier leaders. It is nil without leader
	// election.
	Election *client.ObjectKey
	// Dead reports whether the holder of a lock that neither this process nor an earlier leader took is a run of this installation that
	// has ended. If it is nil, no such lock is broken.
	Dead func(ctx context.Context, lock Lock) (bool, error)

	mu   sync.Mutex
	open map[string]bool // the locks that open sessions hold, by ID
}

// errTakenOver is why a write is refused after another process has taken the state over.
var errTakenOver = errors.New("another process has written the state since this run read it")

// read reads the Secret of a state and the state in it. Without a state the content is empty. Without a Secret, secret is nil.
func (s *Store) read(ctx context.Context, key Key) (secret *corev1.Secret, content []byte, err error) {
	secret = &corev1.Secret{}
	err = s.Reader.Get(ctx, key.secret(), secret)
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

// write writes a state into its Secret as it was read. It fails with errTakenOver if the Secret has changed since.
func (s *Store) write(ctx context.Context, key Key, secret *corev1.Secret, content []byte) (*corev1.Secret, error) {
	compressed, err := encode(content)
	if err != nil {
		return nil, err
	}
	if len(compressed) >= maxContent {
		return nil, fmt.Errorf("writing state Secret %s: the compressed state of %d bytes does not fit into a Secret", key.secret(), len(compressed))
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

// claim sets the term and the owner of a Secret.
func (s *Store) claim(secret *corev1.Secret, owner client.Object) error {
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, TermAnnotation, s.Term)
	if err := controllerutil.SetOwnerReference(owner, secret, s.Client.Scheme()); err != nil {
		return fmt.Errorf("setting the owner of state Secret %s: %w", client.ObjectKeyFromObject(secret), err)
	}
	return nil
}

// Remove deletes a state and its lock, after everything in the state was destroyed.
func (s *Store) Remove(ctx context.Context, key Key) error {
	secret, lease := newSecret(key), newLease(key)
	if err := s.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting state Secret %s: %w", key.secret(), err)
	}
	if err := s.Client.Delete(ctx, lease); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting state lock %s: %w", key.lease(), err)
	}
	return nil
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
