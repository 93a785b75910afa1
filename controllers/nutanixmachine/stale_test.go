package nutanixmachine

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// staleClient reads a machine as a cache does that has not heard of the latest changes.
type staleClient struct {
	client.Client
	stale *infrav1.NutanixMachine
}

func (c staleClient) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if machine, ok := into.(*infrav1.NutanixMachine); ok {
		c.stale.DeepCopyInto(machine)
		return nil
	}
	return c.Client.Get(ctx, key, into, options...)
}
