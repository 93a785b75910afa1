package admission_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	smd "sigs.k8s.io/structured-merge-diff/v6/typed"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const (
	// argoCDAccount is the account of Argo CD in the cluster in which it runs.
	argoCDAccount = "system:serviceaccount:argocd:argocd-application-controller"

	// trackingAnnotation is the annotation with which Argo CD finds the objects of an Application.
	trackingAnnotation = "argocd.argoproj.io/tracking-id"
)

// argoCD applies a manifest as an Application of Argo CD with ServerSideApply=true and self-heal does: if the comparison of the manifest
// with the live object finds a difference, it applies the manifest with a server-side apply that takes over all conflicting fields.
type argoCD struct {
	t        *testing.T
	client   client.Client
	manifest *unstructured.Unstructured
	// differs is one of the comparisons of gitops-engine (pkg/diff).
	differs func(a argoCD, live *unstructured.Unstructured) bool
}

// heal applies the manifest if it differs from the live object. It reports whether it applied the manifest.
func (a argoCD) heal() bool {
	a.t.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(a.manifest.GroupVersionKind())
	err := a.client.Get(a.t.Context(), client.ObjectKeyFromObject(a.manifest), live)
	require.NoError(a.t, client.IgnoreNotFound(err))
	live.SetManagedFields(nil)
	if err == nil && !a.differs(a, live) {
		return false
	}
	a.apply()
	return true
}

// apply applies the manifest and returns the result without managed fields.
func (a argoCD) apply(options ...client.ApplyOption) *unstructured.Unstructured {
	a.t.Helper()
	object := a.manifest.DeepCopy()
	options = append(options, client.FieldOwner("argocd-controller"), client.ForceOwnership)
	require.NoError(a.t, a.client.Apply(a.t.Context(), client.ApplyConfigurationFromUnstructured(object), options...))
	object.SetManagedFields(nil)
	return object
}

// serverSideDiff compares the live object with the result of a dry run, as the option ServerSideDiff=true does.
func (a argoCD) serverSideDiff(live *unstructured.Unstructured) bool {
	return !equality.Semantic.DeepEqual(live.Object, a.apply(client.DryRunAll).Object)
}

// threeWayDiff computes the merge patch for the live object, which is the default for objects without a last applied manifest.
func (a argoCD) threeWayDiff(live *unstructured.Unstructured) bool {
	manifest, err := json.Marshal(a.manifest)
	require.NoError(a.t, err)
	current, err := json.Marshal(live)
	require.NoError(a.t, err)
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(manifest, manifest, current)
	require.NoError(a.t, err)
	return string(patch) != "{}"
}

// structuredMergeDiff merges the manifest into the live object, as Argo CD does if an Application has ServerSideApply=true.
func (a argoCD) structuredMergeDiff(live *unstructured.Unstructured) bool {
	current, err := smd.DeducedParseableType.FromUnstructured(live.Object)
	require.NoError(a.t, err)
	manifest, err := smd.DeducedParseableType.FromUnstructured(a.manifest.Object)
	require.NoError(a.t, err)
	merged, err := current.Merge(manifest)
	require.NoError(a.t, err)
	return !equality.Semantic.DeepEqual(live.Object, merged.AsValue().Unstructured())
}

// TestArgoCDKeepsDecisionInSync checks that Argo CD applies a decision once. Neither the fields that admission sets nor the writes of the
// manager make it apply the decision again. A decision that is removed from Git is deleted once it is recorded in the audit trail.
func TestArgoCDKeepsDecisionInSync(t *testing.T) {
	for name, differs := range map[string]func(argoCD, *unstructured.Unstructured) bool{
		"server-side diff": argoCD.serverSideDiff, "three-way diff": argoCD.threeWayDiff, "structured merge diff": argoCD.structuredMergeDiff,
	} {
		for kind, spec := range map[string]map[string]any{
			"change": {},
			"class": {
				"changes": []any{}, "classes": []any{digest("c")}, "maxUses": int64(3),
				"expiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
			},
		} {
			t.Run(name+" of "+kind, func(t *testing.T) {
				ns := namespace(t)
				argo := argoCD{t, approver(t, ns, argoCDAccount), manifest(ns, spec), differs}
				id := "prod:infrastructure.cluster.x-k8s.io/NutanixPlanDecision:" + ns + "/d"
				argo.manifest.SetAnnotations(map[string]string{trackingAnnotation: id})
				require.True(t, argo.heal(), "the first sync")
				generation := stored(t, ns).Generation

				writes := map[int]func(*infrav1.NutanixPlanDecision){2: recordInAuditTrail, 4: use, 6: completeUse}
				for round := range 10 {
					if write := writes[round]; write != nil {
						writeAsManager(t, ns, write)
					}
					require.False(t, argo.heal(), "round %d", round)
				}
				assert.Equal(t, generation, stored(t, ns).Generation)
				assert.Len(t, stored(t, ns).Status.Uses, 1)

				removeTracking(t, argo)
				require.True(t, argo.heal(), "somebody changed the object")
				require.False(t, argo.heal())
				assert.Len(t, stored(t, ns).Status.Uses, 1)
			})
		}
	}
}

// TestArgoCDPrunesDecision checks that a decision that is removed from Git before the audit trail contains it is deleted as soon as it does.
// Argo CD deletes in the foreground, so the garbage collector also removes a finalizer.
func TestArgoCDPrunesDecision(t *testing.T) {
	ns := namespace(t)
	argo := argoCD{t, approver(t, ns, argoCDAccount), manifest(ns, nil), argoCD.serverSideDiff}
	require.True(t, argo.heal())
	decision := stored(t, ns)
	require.NoError(t, argo.client.Delete(t.Context(), decision, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	deleted := stored(t, ns)
	require.NotNil(t, deleted.DeletionTimestamp)
	before := deleted.DeepCopy()
	require.True(t, controllerutil.RemoveFinalizer(deleted, metav1.FinalizerDeleteDependents))
	collector := as(t, ns, "system:serviceaccount:kube-system:generic-garbage-collector")
	require.NoError(t, collector.Patch(t.Context(), deleted, client.MergeFrom(before)))
	writeAsManager(t, ns, recordInAuditTrail)
	require.True(t, apierrors.IsNotFound(api.Get(t.Context(), client.ObjectKeyFromObject(decision), decision)))
}

// stored returns the decision as the API server has it.
func stored(t *testing.T, ns string) *infrav1.NutanixPlanDecision {
	t.Helper()
	decision := &infrav1.NutanixPlanDecision{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "d"}, decision))
	return decision
}

// writeAsManager changes the decision and its status as the manager does.
func writeAsManager(t *testing.T, ns string, change func(*infrav1.NutanixPlanDecision)) {
	t.Helper()
	before := stored(t, ns)
	after := before.DeepCopy()
	change(after)
	if !equality.Semantic.DeepEqual(before.Status, after.Status) {
		require.NoError(t, api.Status().Update(t.Context(), after))
		return
	}
	require.NoError(t, api.Patch(t.Context(), after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}

func recordInAuditTrail(decision *infrav1.NutanixPlanDecision) {
	controllerutil.RemoveFinalizer(decision, infrav1.NutanixPlanDecisionFinalizer)
}

func use(decision *infrav1.NutanixPlanDecision) {
	decision.Status.Uses = []infrav1.PlanDecisionUse{{Target: "t", Digest: digest("a"), Plan: decision.Namespace + "/p", At: metav1.Now()}}
}

func completeUse(decision *infrav1.NutanixPlanDecision) {
	now := metav1.Now()
	decision.Status.Uses[0].AppliedTime = &now
}

// removeTracking removes an annotation that the manifest contains, as a user does.
func removeTracking(t *testing.T, argo argoCD) {
	t.Helper()
	decision := stored(t, argo.manifest.GetNamespace())
	before := decision.DeepCopy()
	delete(decision.Annotations, trackingAnnotation)
	require.NoError(t, argo.client.Patch(t.Context(), decision, client.MergeFrom(before)))
}
