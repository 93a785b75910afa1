package lifecycle

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		if len(before.OwnerReferences) == len(secret.OwnerReferences) {
			continue
		}
		if err := k.Client.Patch(ctx, secret, client.MergeFrom(before)); err != nil {
			return fmt.Errorf("setting owner of state secret %s: %w", client.ObjectKeyFromObject(secret), err)
		}
	}
	return nil
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
	lease := &coordinationv1.Lease{}
	lease.Namespace, lease.Name = target.Object.GetNamespace(), "lock-tfstate-default-"+target.Backend.Suffix
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
