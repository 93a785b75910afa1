package admission_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// manifest returns a decision as it is committed to Git, with the additional fields of spec.
func manifest(ns string, spec map[string]any) *unstructured.Unstructured {
	fields := map[string]any{"verdict": "Approved", "changes": []any{digest("a")}, "reason": "CHG-4711"}
	for name, value := range spec {
		fields[name] = value
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": infrav1.GroupVersion.String(), "kind": "NutanixPlanDecision",
		"metadata": map[string]any{"namespace": ns, "name": "d"}, "spec": fields,
	}}
}

// TestDecisionFromGitIsAppliedAgainWithoutChange checks that GitOps controllers can apply the manifest of a decision again and again,
// as server-side apply (Flux, Argo CD) and as the client-side apply of kubectl, with and without fields that admission sets.
func TestDecisionFromGitIsAppliedAgainWithoutChange(t *testing.T) {
	for name, spec := range map[string]map[string]any{
		"minimal": {},
		"copied from a cluster": {"decidedBy": map[string]any{
			"username": "mallory", "groups": []any{"system:masters"}, "at": "2026-01-01T00:00:00Z",
		}},
		"classes": {"changes": []any{}, "classes": []any{digest("c")}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t)
			flux := approver(t, ns, "system:serviceaccount:flux-system:kustomize-controller")
			stored := apply(t, flux, manifest(ns, spec), "kustomize-controller")
			assert.Equal(t, "system:serviceaccount:flux-system:kustomize-controller", stored.Spec.DecidedBy.Username)
			require.NotNil(t, stored.Spec.ExpiresAt)

			dry := apply(t, flux, manifest(ns, spec), "kustomize-controller", client.DryRunAll)
			assert.Equal(t, stored, dry, "the drift detection of Flux")
			assert.Equal(t, stored, apply(t, flux, manifest(ns, spec), "kustomize-controller"), "nothing is written")

			argo := approver(t, ns, "system:serviceaccount:argocd:argocd-application-controller")
			second := apply(t, argo, manifest(ns, spec), "argocd-controller")
			assert.Equal(t, stored.Spec, second.Spec, "another field manager")
			assert.Equal(t, stored.Generation, second.Generation)
			assert.Equal(t, second, apply(t, argo, manifest(ns, spec), "argocd-controller"), "the self-heal of Argo CD")

			clientSideApply(t, flux, manifest(ns, spec), second)
		})
	}
}

// apply applies the manifest with a server-side apply and returns the result without managed fields.
func apply(t *testing.T, c client.Client, object *unstructured.Unstructured, owner string, options ...client.ApplyOption) *infrav1.NutanixPlanDecision {
	t.Helper()
	options = append(options, client.FieldOwner(owner), client.ForceOwnership)
	require.NoError(t, c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), options...))
	result := &infrav1.NutanixPlanDecision{}
	content, err := json.Marshal(object)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, result))
	result.ManagedFields = nil
	return result
}

// clientSideApply sends the merge patch that kubectl apply computes if the last applied manifest is the same, and checks that the patch
// changes nothing.
func clientSideApply(t *testing.T, c client.Client, object *unstructured.Unstructured, stored *infrav1.NutanixPlanDecision) {
	t.Helper()
	original, err := json.Marshal(object)
	require.NoError(t, err)
	current, err := json.Marshal(stored)
	require.NoError(t, err)
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, original, current)
	require.NoError(t, err)
	patched := stored.DeepCopy()
	require.NoError(t, c.Patch(t.Context(), patched, client.RawPatch(types.MergePatchType, patch)))
	assert.Equal(t, stored.Spec, patched.Spec)
	assert.Equal(t, stored.Generation, patched.Generation)
	require.NoError(t, c.Patch(t.Context(), patched, client.RawPatch(types.MergePatchType, original)))
	assert.Equal(t, stored.Spec, patched.Spec, "the whole manifest as a merge patch")
}
