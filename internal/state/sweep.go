package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// sweepInterval is the time between two sweeps. A namespace whose states lost their owners is deleted after at most this time.
	sweepInterval = time.Minute
	// lockInterval is the time between two searches for stale locks.
	lockInterval = 20 * time.Second
	// sweepPage is the maximum number of objects that a sweep reads at a time.
	sweepPage = 500
)

// Sweeper removes stale locks. A lock is stale, for example, if the API server accepted it but its response was lost, or if an earlier leader
// acquired it for a state that needs no run now. Nobody could lock such a state until its next run.
//
// Sweeper also removes Finalizer from Secrets and Leases that are being deleted and whose owner no longer exists. Store.Remove is never called
// for such a state if somebody removed the finalizer of the owner, or if clusterctl moved the owner to another management cluster.
type Sweeper struct {
	Store *Store
	// Namespace limits the sweeper to one namespace. If it is empty, the sweeper reads all namespaces.
	Namespace string

	page int64 // zero means sweepPage; tests use smaller pages
}

// Start sweeps until ctx ends. It implements manager.Runnable. With leader election, the manager starts it in the leader.
func (s *Sweeper) Start(ctx context.Context) error {
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := s.unlock(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Failed to remove stale state locks, the next sweep tries again")
		}
	}, lockInterval)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Failed to release states without owner, the next sweep tries again")
		}
	}, sweepInterval)
	return nil
}

// sweep makes one pass. It reads only metadata, because Secrets of states are large. If an object cannot be released, sweep continues with
// the others.
func (s *Sweeper) sweep(ctx context.Context) error {
	var failures []error
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Secret"),
		coordinationv1.SchemeGroupVersion.WithKind("Lease"),
	} {
		failures = append(failures, s.each(ctx, kind, s.release))
	}
	return errors.Join(failures...)
}

// unlock removes all stale locks. It reads only the metadata of Leases without a lock of a manager.
func (s *Sweeper) unlock(ctx context.Context) error {
	if err := s.Store.setTerm(ctx); err != nil {
		return err
	}
	return s.each(ctx, coordinationv1.SchemeGroupVersion.WithKind("Lease"), func(ctx context.Context, object *metav1.PartialObjectMetadata) error {
		if object.Annotations[TermAnnotation] == "" {
			return nil
		}
		return s.Store.breakStale(ctx, client.ObjectKeyFromObject(object))
	})
}

// each calls use with the metadata of all states of a kind. If a call fails, each continues with the others.
func (s *Sweeper) each(ctx context.Context, kind schema.GroupVersionKind, use func(context.Context, *metav1.PartialObjectMetadata) error) error {
	var failures []error
	for next := ""; ; {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		if err := s.Store.Reader.List(ctx, list, client.InNamespace(s.Namespace), client.MatchingLabels{stateLabel: "true"},
			client.Limit(cmp.Or(s.page, sweepPage)), client.Continue(next)); err != nil {
			return errors.Join(append(failures, fmt.Errorf("listing the metadata of each state %s: %w", kind.Kind, err))...)
		}
		for i := range list.Items {
			list.Items[i].SetGroupVersionKind(kind)
			failures = append(failures, use(ctx, &list.Items[i]))
		}
		if next = list.Continue; next == "" {
			return errors.Join(failures...)
		}
	}
}

// release removes the finalizer from an object that is being deleted and has no owner.
func (s *Sweeper) release(ctx context.Context, object *metav1.PartialObjectMetadata) error {
	if object.DeletionTimestamp.IsZero() || !controllerutil.ContainsFinalizer(object, Finalizer) {
		return nil
	}
	for _, reference := range object.OwnerReferences {
		owner := &metav1.PartialObjectMetadata{}
		owner.SetGroupVersionKind(schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind))
		err := s.Store.Reader.Get(ctx, client.ObjectKey{Namespace: object.Namespace, Name: reference.Name}, owner)
		// The UID is not compared. An object that was restored from a backup has another UID, and its next run becomes the owner again.
		switch {
		case err == nil:
			return nil
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("reading owner %s of state %s %s: %w", reference.Name, object.Kind, client.ObjectKeyFromObject(object), err)
		}
	}
	log.FromContext(ctx).Info("Releasing a state whose owner does not exist", "kind", object.Kind, "object", client.ObjectKeyFromObject(object))
	if err := s.Store.releaseObject(ctx, object); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("releasing state %s %s: %w", object.Kind, client.ObjectKeyFromObject(object), err)
	}
	return nil
}
