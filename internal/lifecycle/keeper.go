package lifecycle

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Labels that Terraform's kubernetes backend puts on its Secrets and by which it finds them again.
const (
	labelState       = "tfstate"
	labelStateSuffix = "tfstateSecretSuffix"
)

// StateKeeper keeps house in the Kubernetes backend.
type StateKeeper interface {
	// Adopt makes the target's object the owner of its state, so that clusterctl move carries the state along.
	Adopt(ctx context.Context, target Target) error
	// Unlock breaks the lock of that ID on the target's state. Terraform's own way needs a workspace that can be opened.
	Unlock(ctx context.Context, target Target, lockID string) error
	// Remove deletes the target's state and lock, after everything in it was destroyed.
	Remove(ctx context.Context, target Target) error
}

// SecretKeeper is the StateKeeper that works on the Secrets and Leases of the backend.
type SecretKeeper struct {
	// Client reads uncached: states are large and must not fill the manager's memory.
	Client client.Client
	Reader client.Reader
}

// Adopt implements StateKeeper. Backends other than kubernetes have nothing to adopt.
func (k *SecretKeeper) Adopt(ctx context.Context, target Target) error {
	if !target.Backend.Kubernetes() {
		return nil
	}
	secrets, err := k.secrets(ctx, target)
	if err != nil {
		return err
	}
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		before := secret.DeepCopy()
		if err := controllerutil.SetOwnerReference(target.Object, secret, k.Client.Scheme()); err != nil {
			return fmt.Errorf("setting owner of state secret %s: %w", client.ObjectKeyFromObject(secret), err)
		}
		if equality.Semantic.DeepEqual(before.OwnerReferences, secret.OwnerReferences) {
			continue
		}
		if err := k.Client.Patch(ctx, secret, client.MergeFrom(before)); err != nil {
			return fmt.Errorf("setting owner of state secret %s: %w", client.ObjectKeyFromObject(secret), err)
		}
	}
	return nil
}

// Unlock implements StateKeeper. The Lease is deleted as it was seen, and only if its holder is the lock of that ID.
func (k *SecretKeeper) Unlock(ctx context.Context, target Target, lockID string) error {
	if !target.Backend.Kubernetes() {
		return fmt.Errorf("breaking state lock %s: the workspace cannot be opened, use the tools of backend %s", lockID, target.Backend.Type)
	}
	lease := lockOf(target)
	if err := k.Reader.Get(ctx, client.ObjectKeyFromObject(lease), lease); err != nil {
		return fmt.Errorf("reading state lock %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	if ptr.Deref(lease.Spec.HolderIdentity, "") != lockID {
		return fmt.Errorf("breaking state lock %s: it has another holder by now", client.ObjectKeyFromObject(lease))
	}
	seen := client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion}
	if err := k.Client.Delete(ctx, lease, seen); err != nil {
		return fmt.Errorf("breaking state lock %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	return nil
}

func lockOf(target Target) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: target.Object.GetNamespace(), Name: "lock-tfstate-default-" + target.Backend.Suffix}}
}

// Remove implements StateKeeper. The other backends keep an empty state.
func (k *SecretKeeper) Remove(ctx context.Context, target Target) error {
	if !target.Backend.Kubernetes() {
		return nil
	}
	secrets, err := k.secrets(ctx, target)
	if err != nil {
		return err
	}
	for i := range secrets.Items {
		if err := k.Client.Delete(ctx, &secrets.Items[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting state secret %s: %w", client.ObjectKeyFromObject(&secrets.Items[i]), err)
		}
	}
	lease := lockOf(target)
	if err := k.Client.Delete(ctx, lease); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting state lock %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	return nil
}

func (k *SecretKeeper) secrets(ctx context.Context, target Target) (*corev1.SecretList, error) {
	secrets := &corev1.SecretList{}
	err := k.Reader.List(ctx, secrets, client.InNamespace(target.Object.GetNamespace()),
		client.MatchingLabels{labelState: "true", labelStateSuffix: target.Backend.Suffix})
	if err != nil {
		return nil, fmt.Errorf("listing state secrets of %s: %w", target.Backend.Suffix, err)
	}
	return secrets, nil
}
