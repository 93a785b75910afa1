package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// HeadName is the name of the ConfigMap in the namespace of the manager that contains the head.
const HeadName = "capnt-audit-head"

// Keys of the ConfigMap.
const (
	seqKey    = "seq"
	digestKey = "digest"
	termKey   = "term"
	timeKey   = "time"
)

// Head identifies the last acknowledged record of the audit trail.
type Head struct {
	// Seq is the number of the record. It is 0 if there is no record yet.
	Seq int64
	// Digest is the digest of the record: "sha256:" and 64 hex digits.
	Digest string
	// Term is the term of the leader that may append the next record.
	Term string
}

// ReadHead returns the head in the ConfigMap in namespace. Read the head before the files that are verified with it: a record that is
// written in between is then reported as not acknowledged, and not as dropped.
func ReadHead(ctx context.Context, reader client.Reader, namespace string) (*Head, error) {
	object := &corev1.ConfigMap{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: HeadName}, object); err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s with the head of the audit trail: %w", namespace, HeadName, err)
	}
	return parseHead(object)
}

func parseHead(object *corev1.ConfigMap) (*Head, error) {
	head := &Head{Digest: object.Data[digestKey], Term: object.Data[termKey]}
	var err error
	if head.Seq, err = strconv.ParseInt(object.Data[seqKey], 10, 64); err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %s: %w", object.Namespace, object.Name, seqKey, err)
	}
	if _, err = parseSum(head.Digest); err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %w", object.Namespace, object.Name, err)
	}
	if head.Seq < 0 || (head.Seq == 0) != (head.Digest == "") {
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %s %d and %s %q do not fit together",
			object.Namespace, object.Name, seqKey, head.Seq, digestKey, head.Digest)
	}
	return head, nil
}

// errMoved is the error of a write of the head if somebody has written it in the meantime.
var errMoved = errors.New("the head of the audit trail was written by another process")

// headStore reads and writes the head. It remembers the version that it has read or written last, and its writes fail with errMoved if the
// ConfigMap has another version.
type headStore struct {
	client    client.Client
	reader    client.Reader
	namespace string
	object    *corev1.ConfigMap // nil if the ConfigMap does not exist
}

// read returns the current head, or nil if the ConfigMap does not exist.
func (s *headStore) read(ctx context.Context) (*Head, error) {
	object := &corev1.ConfigMap{}
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: HeadName}, object)
	if apierrors.IsNotFound(err) {
		s.object = nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/%s with the head of the audit trail: %w", s.namespace, HeadName, err)
	}
	s.object = object
	return parseHead(object)
}

// write writes head.
func (s *headStore) write(ctx context.Context, head Head, now time.Time) error {
	var err error
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: HeadName}}
	if s.object != nil {
		object = s.object.DeepCopy()
	}
	object.Data = map[string]string{
		seqKey: strconv.FormatInt(head.Seq, 10), digestKey: head.Digest, termKey: head.Term, timeKey: now.UTC().Format(time.RFC3339),
	}
	if s.object == nil {
		err = s.client.Create(ctx, object)
	} else {
		err = s.client.Update(ctx, object)
	}
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
		return fmt.Errorf("writing ConfigMap %s/%s: %w", s.namespace, HeadName, errMoved)
	case err != nil:
		return fmt.Errorf("writing ConfigMap %s/%s with the head of the audit trail: %w", s.namespace, HeadName, err)
	}
	s.object = object
	return nil
}
