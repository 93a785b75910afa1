package provisioning

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// EnsureWorkspaceKey gives an object its stable key before Terraform runs for it the first time. The key is the UID that
// the object has then: it is as unique, and other than the UID it survives clusterctl move.
func (d *Dependencies) EnsureWorkspaceKey(ctx context.Context, object client.Object) error {
	if d.HasWorkspaceKey(object) {
		return nil
	}
	// The patch goes through a copy, so that the object's pending changes are neither sent nor overwritten.
	marked := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	before := marked.DeepCopyObject().(client.Object) //nolint:forcetypeassert // as above
	annotate(marked, string(object.GetUID()))
	if err := d.Client.Patch(ctx, marked, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("marking %s with its workspace key: %w", client.ObjectKeyFromObject(object), err)
	}
	annotate(object, string(object.GetUID()))
	return nil
}

// HasWorkspaceKey reports whether Terraform may ever have run for an object. Of one without a key nothing can exist.
func (d *Dependencies) HasWorkspaceKey(object client.Object) bool { return WorkspaceKey(object) != "" }

// WorkspaceKey returns the stable key of an object, or empty.
func WorkspaceKey(object client.Object) string {
	return object.GetAnnotations()[infrav1.WorkspaceKeyAnnotation]
}

func annotate(object client.Object, key string) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[infrav1.WorkspaceKeyAnnotation] = key
	object.SetAnnotations(annotations)
}
