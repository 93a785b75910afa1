package controllertest

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Stale is a client whose reads return an outdated object, as a stale cache does.
type Stale[T interface {
	client.Object
	DeepCopyInto(into T)
}] struct {
	client.Client
	Object T
}

// Get returns the outdated object for every key if the requested object has the same type.
func (s Stale[T]) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if object, ok := into.(T); ok {
		s.Object.DeepCopyInto(object)
		return nil
	}
	return s.Client.Get(ctx, key, into, options...)
}
