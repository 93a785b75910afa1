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

// Labels of the Secrets of Terraform's kubernetes backend, which finds its states by them.
const (
	labelState       = "tfstate"
	labelStateSuffix = "tfstateSecretSuffix"
)

// StateKeeper manages the Secrets and Leases of the Kubernetes backend.
type StateKeeper interface {
	// Adopt makes the target's object the owner of its state, so that clusterctl move moves the state with the object.
	Adopt(ctx context.Context, target Target) error
	// Unlock breaks the lock with that ID on the target's state. Unlike terraform force-unlock, it needs no workspace.
	Unlock(ctx context.Context, target Target, lockID string) error
	// Remove deletes the target's state and lock. It is called after all infrastructure in the state was destroyed.
	Remove(ctx context.Context, target Target) error
}

// SecretKeeper implements StateKeeper with a Kubernetes client.
type SecretKeeper struct {
	// Client reads without a cache, because states are large.
	Client client.Client
	Reader client.Reader
}

// Adopt implements StateKeeper. It does nothing for other backends than kubernetes.
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

// Unlock implements StateKeeper. It deletes the Lease only if its holder is the lock with that ID and the Lease has not changed
// since it was read.
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

// Remove implements StateKeeper. In other backends an empty state stays.
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
