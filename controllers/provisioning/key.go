package provisioning

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/renderer"
)

// EnsureWorkspaceKey writes the workspace key, the state suffix and the Prism API of an object before Terraform runs for
// the object for the first time. It also records the version of the nutanix provider for the next run. The key is the
// current UID of the object. The key is as unique as the UID but, unlike the UID, survives clusterctl move. The API of an
// object that has a key or a recorded API does not change.
func (d *Dependencies) EnsureWorkspaceKey(
	ctx context.Context, kind string, object client.Object, api renderer.API, providerVersion string,
) error {
	if d.HasWorkspaceKey(object) && object.GetAnnotations()[infrav1.ProviderVersionAnnotation] == providerVersion {
		return nil
	}
	// The patch uses a copy, so that pending changes of the object are neither sent nor overwritten.
	annotated := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	before := annotated.DeepCopyObject().(client.Object) //nolint:forcetypeassert // as above
	annotate(kind, annotated, api, providerVersion)
	if err := d.Client.Patch(ctx, annotated, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("annotating %s with its workspace key, Prism API and provider version: %w", client.ObjectKeyFromObject(object), err)
	}
	annotate(kind, object, api, providerVersion)
	return nil
}

// HasWorkspaceKey reports whether Terraform may have run for an object. An object without a key has no infrastructure.
func (d *Dependencies) HasWorkspaceKey(object client.Object) bool { return WorkspaceKey(object) != "" }

// WorkspaceKey returns the workspace key of an object, or an empty string if the object has none. The key of an object
// never changes.
func WorkspaceKey(object client.Object) string {
	return object.GetAnnotations()[infrav1.WorkspaceKeyAnnotation]
}

// StateSuffix returns the state suffix of an object of the kind kind. If an object has a workspace key but no suffix,
// v0.1.0 created it. If an object has no key, StateSuffix returns the suffix that EnsureWorkspaceKey would write.
func StateSuffix(kind string, object client.Object) string {
	if suffix := object.GetAnnotations()[infrav1.StateSuffixAnnotation]; suffix != "" {
		return suffix
	}
	if WorkspaceKey(object) != "" {
		return lifecycle.StateSuffix(kind, object.GetNamespace(), object.GetName(), "")
	}
	return lifecycle.StateSuffix(kind, object.GetNamespace(), object.GetName(), string(object.GetUID()))
}

func annotate(kind string, object client.Object, api renderer.API, providerVersion string) {
	if !infrav1.HasPrismAPI(object) {
		setAPI(object, api)
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	if annotations[infrav1.WorkspaceKeyAnnotation] == "" {
		annotations[infrav1.StateSuffixAnnotation] = StateSuffix(kind, object)
		annotations[infrav1.WorkspaceKeyAnnotation] = string(object.GetUID())
	}
	annotations[infrav1.ProviderVersionAnnotation] = providerVersion
	object.SetAnnotations(annotations)
}
