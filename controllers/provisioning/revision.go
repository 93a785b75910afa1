package provisioning

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Flux's kustomize-controller sets these labels on the objects that it applies. They name a Kustomization
// (https://fluxcd.io/flux/components/kustomize/kustomizations/#inventory).
const (
	fluxNameLabel      = "kustomize.toolkit.fluxcd.io/name"
	fluxNamespaceLabel = "kustomize.toolkit.fluxcd.io/namespace"
)

var fluxKustomization = schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}

// +kubebuilder:rbac:groups=kustomize.toolkit.fluxcd.io,resources=kustomizations,verbs=get

// Revision returns the Git revision of an object: the annotation that a GitOps tool or a person has set, or the revision that Flux last tried
// to apply. It returns an empty string if the revision is not known.
func (d *Dependencies) Revision(ctx context.Context, object client.Object) string {
	if revision := object.GetAnnotations()[infrav1.RevisionAnnotation]; revision != "" {
		return revision
	}
	labels := object.GetLabels()
	if labels[fluxNameLabel] == "" {
		return ""
	}
	kustomization := &unstructured.Unstructured{}
	kustomization.SetGroupVersionKind(fluxKustomization)
	key := client.ObjectKey{Namespace: labels[fluxNamespaceLabel], Name: labels[fluxNameLabel]}
	if err := d.Reader.Get(ctx, key, kustomization); err != nil {
		ctrl.LoggerFrom(ctx).V(1).Info("The Git revision of an object is not known", "kustomization", key, "reason", err.Error())
		return ""
	}
	revision, _, _ := unstructured.NestedString(kustomization.Object, "status", "lastAttemptedRevision") // not a string: not known
	return revision
}
