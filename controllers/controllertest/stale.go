package controllertest

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Stale reads an object as a cache does that has not heard of the latest changes.
type Stale[T interface {
	client.Object
	DeepCopyInto(into T)
}] struct {
	client.Client
	Object T
}

// Get gives the stale object for whatever is of its kind.
func (s Stale[T]) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if object, ok := into.(T); ok {
		s.Object.DeepCopyInto(object)
		return nil
	}
	return s.Client.Get(ctx, key, into, options...)
}
