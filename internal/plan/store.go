package plan

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const (
	// keySecret is the name of the Secret with the key of the signatures. It is in the namespace of the manager.
	keySecret = "capnt-plan-key"
	// keyEntry and fileEntry are the keys in the data of the Secrets with the key and with a plan file.
	keyEntry, fileEntry = "key", "tfplan"
)

// Stored is a recorded plan together with its plan file.
type Stored struct {
	Record Record
	// File is the plan file. It is nil if the record describes an edit of the state, if a stored plan has no file any more, or if the file
	// cannot be read with the texts of this manager.
	File []byte
	// Object is the NutanixPlan that records the plan, as it was last written. It must not be changed.
	Object *infrav1.NutanixPlan
	// Saved is true if the Secret of the plan file exists.
	Saved bool
	// Unsigned is true if a stored plan has no valid signature, because somebody other than the manager has written it. Such a plan has no file.
	Unsigned bool
	// applying is the time at which this process began to apply the plan. It is zero before that.
	applying time.Time
}

// Key returns the namespace and the name of the NutanixPlan.
func (s Stored) Key() client.ObjectKey { return client.ObjectKeyFromObject(s.Object) }

// Store stores plans as NutanixPlans, and the files of plans that wait as Secrets.
type Store struct {
	Client client.Client
	// Reader reads from the API server without a cache.
	Reader client.Reader
	// Namespace is the namespace of the manager. It contains the key of the signatures, and the plans of objects whose own namespace is
	// being deleted.
	Namespace string
	Clock     clock.PassiveClock
	// Trail is the audit trail, or nil. It records a plan before it is created, and a phase before it is written.
	Trail Trail
	// Metrics observe the phases of plans. They may be nil.
	Metrics *Metrics

	mu  sync.Mutex
	key []byte
	// results contains the results that are in the audit trail although the final phase of the plan could not be written yet.
	results map[types.UID]result
}

// ErrDeleted means that somebody has deleted the NutanixPlan of a plan. The plan must not be applied.
var ErrDeleted = errors.New("the NutanixPlan was deleted")

// Record creates the NutanixPlan for record. If nothing can be created in the namespace of the target because the namespace is being
// deleted, the NutanixPlan is created in the namespace of the manager.
func (s *Store) Record(ctx context.Context, record Record, file []byte) (Stored, error) {
	object := &infrav1.NutanixPlan{Spec: record.Spec()}
	object.Name, object.Namespace = name(object.Spec), object.Spec.Target.Namespace
	object.Labels = map[string]string{infrav1.PlanTargetLabel: object.Spec.Target.Key}
	if object.Spec.File != nil {
		object.Spec.File.SecretName = object.Name
	}
	signature, err := s.sign(ctx, object.Spec)
	if err != nil {
		return Stored{}, fmt.Errorf("recording plan %s/%s: %w", object.Namespace, object.Name, err)
	}
	object.Spec.Signature = signature
	if err := s.auditPlan(ctx, object); err != nil {
		return Stored{}, err
	}
	err = s.Client.Create(ctx, object)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) && s.Namespace != object.Namespace {
		object.Namespace = s.Namespace
		if err := s.auditPlan(ctx, object); err != nil {
			return Stored{}, err
		}
		err = s.Client.Create(ctx, object)
	}
	if err != nil {
		return Stored{}, fmt.Errorf("recording plan %s/%s: %w", object.Namespace, object.Name, err)
	}
	return Stored{Record: record, File: file, Object: object}, nil
}

// name returns a unique name for a plan. The names of plans of the same change contain the same first digits of the change digest.
func name(spec infrav1.NutanixPlanSpec) string {
	digest := strings.TrimPrefix(spec.ChangeDigest, "sha256:")
	suffix := "-" + digest[:min(6, len(digest))] + "-" + utilrand.String(5)
	target := spec.Target.Name
	return strings.TrimRight(target[:min(len(target), 253-len(suffix))], "-.") + suffix
}

// Open returns the plans of a target that are in no final phase, the newest first. It reads past the cache. A plan without a valid signature
// has no file, so it cannot be applied. texts are those with which the plan files were stored.
func (s *Store) Open(ctx context.Context, target infrav1.PlanTarget, deleting bool, texts Texts) ([]Stored, error) {
	var open []Stored
	namespaces := []string{target.Namespace}
	if deleting && s.Namespace != target.Namespace {
		namespaces = append(namespaces, s.Namespace)
	}
	for _, namespace := range namespaces {
		list := &infrav1.NutanixPlanList{}
		if err := s.Reader.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{infrav1.PlanTargetLabel: target.Key}); err != nil {
			return nil, fmt.Errorf("listing the plans of %s %s/%s: %w", target.Kind, target.Namespace, target.Name, err)
		}
		for i := range list.Items {
			if list.Items[i].Status.Phase.Final() {
				continue
			}
			stored, err := s.load(ctx, &list.Items[i], texts)
			if err != nil {
				return nil, err
			}
			open = append(open, stored)
		}
	}
	slices.SortStableFunc(open, func(a, b Stored) int {
		return b.Object.CreationTimestamp.Compare(a.Object.CreationTimestamp.Time)
	})
	return open, nil
}

// load returns a plan with its file. It returns no file if the plan has no valid signature.
func (s *Store) load(ctx context.Context, object *infrav1.NutanixPlan, texts Texts) (Stored, error) {
	valid, err := s.valid(ctx, object)
	if err != nil {
		return Stored{}, err
	}
	file, saved, err := s.file(ctx, object, texts)
	if err != nil {
		return Stored{}, err
	}
	stored := Stored{Record: FromSpec(object.Spec), Object: object, Saved: saved, Unsigned: !valid}
	stored.Record.Time = object.CreationTimestamp.Time
	if valid {
		stored.File = file
	}
	return stored, nil
}

// valid reports whether the manager has signed the plan.
func (s *Store) valid(ctx context.Context, object *infrav1.NutanixPlan) (bool, error) {
	signature, err := s.sign(ctx, object.Spec)
	if err != nil {
		return false, fmt.Errorf("verifying plan %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return hmac.Equal([]byte(signature), []byte(object.Spec.Signature)), nil
}

// sign returns the signature of a plan. It covers the digest of the plan file, and so the file, too.
func (s *Store) sign(ctx context.Context, spec infrav1.NutanixPlanSpec) (string, error) {
	spec.Signature = ""
	content, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	return s.authenticate(ctx, content)
}

// Fingerprint returns a keyed fingerprint of the variables of a run.
func (s *Store) Fingerprint(ctx context.Context, variables map[string]string) (string, error) {
	content, err := json.Marshal(variables)
	if err != nil {
		return "", err
	}
	return s.authenticate(ctx, content)
}

func (s *Store) authenticate(ctx context.Context, content []byte) (string, error) {
	key, err := s.Secret(ctx)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return "hmac-sha256:" + hex.EncodeToString(mac.Sum(nil)), nil
}

// Secret returns the key of the signatures. The first call creates it if it does not exist.
func (s *Store) Secret(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	secret := &corev1.Secret{}
	name := client.ObjectKey{Namespace: s.Namespace, Name: keySecret}
	err := s.Reader.Get(ctx, name, secret)
	if apierrors.IsNotFound(err) {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: keySecret, Namespace: s.Namespace}, Immutable: ptr.To(true),
			Data: map[string][]byte{keyEntry: []byte(rand.Text() + rand.Text())}}
		if err = s.Client.Create(ctx, secret); apierrors.IsAlreadyExists(err) {
			err = s.Reader.Get(ctx, name, secret)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key of the plans in secret %s: %w", name, err)
	}
	if len(secret.Data[keyEntry]) == 0 {
		return nil, fmt.Errorf("reading the key of the plans: secret %s has no entry %s: delete it, and the manager creates it again", name, keyEntry)
	}
	s.key = secret.Data[keyEntry]
	return s.key, nil
}
