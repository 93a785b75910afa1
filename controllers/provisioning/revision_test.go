package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestRevision(t *testing.T) {
	kustomization := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"lastAttemptedRevision": "main@sha1:5e1f"}}}
	kustomization.SetGroupVersionKind(fluxKustomization)
	kustomization.SetNamespace("flux-system")
	kustomization.SetName("prod")
	d := &Dependencies{Reader: fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(kustomization).Build()}
	flux := map[string]string{fluxNameLabel: "prod", fluxNamespaceLabel: "flux-system"}
	for name, test := range map[string]struct {
		labels, annotations map[string]string
		want                string
	}{
		"not known":                 {},
		"applied by Flux":           {labels: flux, want: "main@sha1:5e1f"},
		"annotated":                 {labels: flux, annotations: map[string]string{infrav1.RevisionAnnotation: "v7"}, want: "v7"},
		"Kustomization was deleted": {labels: map[string]string{fluxNameLabel: "gone", fluxNamespaceLabel: "flux-system"}},
	} {
		t.Run(name, func(t *testing.T) {
			object := &infrav1.NutanixMachineTemplate{ObjectMeta: metav1.ObjectMeta{Labels: test.labels, Annotations: test.annotations}}
			assert.Equal(t, test.want, d.Revision(t.Context(), object))
		})
	}
	require.Empty(t, (&Dependencies{Reader: fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build()}).Revision(t.Context(),
		&infrav1.NutanixMachineTemplate{ObjectMeta: metav1.ObjectMeta{Labels: flux}}), "Flux is not installed")
}
