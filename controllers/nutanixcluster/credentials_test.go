package nutanixcluster

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
)

const moveLabel = "clusterctl.cluster.x-k8s.io/move"

// Deleting the Secret in the same breath as the cluster must not strand the cluster.
func TestCredentialsAreHeldUntilTheClusterIsGone(t *testing.T) {
	w := newWorld(t)
	w.running()
	require.False(t, w.Gone(w.Credentials))
	assert.Equal(t, []string{infrav1.CredentialFinalizer}, w.Credentials.Finalizers)
	assert.Contains(t, w.Credentials.Labels, moveLabel)
	assert.Empty(t, w.Credentials.OwnerReferences)
	require.NoError(t, api.Delete(t.Context(), w.Credentials))
	require.False(t, w.Gone(w.Credentials))
	w.settle()
	assert.True(t, w.NutanixCluster.Status.Ready, "it works as long as it is needed")
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
	assert.True(t, w.Gone(w.Credentials))
}

func TestSharedCredentialsAreHeldForTheLastCluster(t *testing.T) {
	w := newWorld(t)
	w.running()
	second := &infrav1.NutanixCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "d", OwnerReferences: w.NutanixCluster.OwnerReferences},
		Spec:       *w.NutanixCluster.Spec.DeepCopy(),
	}
	w.Create(second)
	w.Settle(w.reconciler, kind, second)
	w.delete()
	require.False(t, w.Gone(w.Credentials))
	assert.Contains(t, w.Credentials.Finalizers, infrav1.CredentialFinalizer)
	require.NoError(t, api.Delete(t.Context(), second))
	w.Settle(w.reconciler, kind, second)
	require.False(t, w.Gone(w.Credentials))
	assert.Empty(t, w.Credentials.Finalizers)
}

func TestFormerCredentialsAreReleased(t *testing.T) {
	w := newWorld(t)
	w.running()
	second := w.Credentials.DeepCopy()
	second.ObjectMeta = metav1.ObjectMeta{Namespace: w.Namespace, Name: "second"}
	w.Create(second)
	mutate(w, func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.CredentialRef.Name = "second" })
	w.settle()
	require.False(t, w.Gone(w.Credentials) || w.Gone(second))
	assert.Empty(t, w.Credentials.Finalizers)
	assert.Contains(t, second.Finalizers, infrav1.CredentialFinalizer)
}

// A finalizer that somebody else has just put on the credentials is lost neither when ours is put there nor when it is taken off.
func TestFinalizersOfOthersAreKept(t *testing.T) {
	w := newWorld(t)
	w.CreateCluster(w.Bed)
	require.False(t, w.Gone(w.Credentials))
	before := w.Credentials.DeepCopy()
	const others = "example.com/in-use"
	w.Credentials.Finalizers = []string{others}
	require.NoError(t, api.Update(t.Context(), w.Credentials))

	now := w.reconciler.Client
	w.reconciler.Client = controllertest.Stale[*corev1.Secret]{Client: now, Object: before}
	require.True(t, apierrors.IsConflict(w.reconciler.hold(t.Context(), w.NutanixCluster)))
	w.reconciler.Client = now
	require.NoError(t, w.reconciler.hold(t.Context(), w.NutanixCluster))
	require.False(t, w.Gone(w.Credentials))
	assert.ElementsMatch(t, []string{others, infrav1.CredentialFinalizer}, w.Credentials.Finalizers)

	before.Finalizers = []string{infrav1.CredentialFinalizer}
	require.True(t, apierrors.IsConflict(w.reconciler.letGo(t.Context(), before)))
	require.NoError(t, w.reconciler.letGo(t.Context(), w.Credentials))
	require.False(t, w.Gone(w.Credentials))
	assert.Equal(t, []string{others}, w.Credentials.Finalizers)
	w.Credentials.Finalizers = nil
	require.NoError(t, api.Update(t.Context(), w.Credentials))
}

// What a cluster named last before it is deleted may not be what it holds.
func TestFormerCredentialsAreReleasedByADeletion(t *testing.T) {
	w := newWorld(t)
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "bundle"},
		Data: map[string]string{infrav1.NutanixTrustBundleKey: string(w.Prism.Bundle())}}
	w.Create(bundle)
	inline := w.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle
	w.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "bundle"}
	w.running()
	second := w.Credentials.DeepCopy()
	second.ObjectMeta = metav1.ObjectMeta{Namespace: w.Namespace, Name: "second"}
	w.Create(second)
	mutate(w, func(c *infrav1.NutanixCluster) {
		c.Spec.PrismCentral.CredentialRef.Name = "second"
		c.Spec.PrismCentral.AdditionalTrustBundle = inline
	})
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
	for _, object := range []client.Object{w.Credentials, second, bundle} {
		require.False(t, w.Gone(object))
		assert.Empty(t, object.GetFinalizers(), object.GetName())
	}
}

// Whoever may write clusters in one namespace must not be able to keep what is in another one from being deleted.
func TestWhatIsInAnotherNamespaceIsOnlyRead(t *testing.T) {
	w := newWorld(t)
	w.reconciler.Client = api
	guest := controllertest.NewBed(t, api)
	secret, bundle := w.Credentials.DeepCopy(), &corev1.ConfigMap{Data: map[string]string{infrav1.NutanixTrustBundleKey: string(w.Prism.Bundle())}}
	secret.ObjectMeta = metav1.ObjectMeta{Namespace: guest.Namespace, Name: "c-creds"}
	bundle.ObjectMeta = metav1.ObjectMeta{Namespace: guest.Namespace, Name: "bundle"}
	w.Create(secret, bundle)
	w.NutanixCluster.Spec.PrismCentral.CredentialRef.Namespace = guest.Namespace
	w.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{
		Kind: infrav1.NutanixTrustBundleKindConfigMap, Namespace: guest.Namespace, Name: "bundle"}
	w.running()
	for _, object := range []client.Object{secret, bundle} {
		require.False(t, w.Gone(object))
		assert.Empty(t, object.GetFinalizers())
		assert.NotContains(t, object.GetLabels(), moveLabel)
	}
	assert.Len(t, w.reconciler.usersOfSecret(t.Context(), secret), 1, "a change is noticed all the same")
	assert.Len(t, w.reconciler.usersOfConfigMap(t.Context(), bundle), 1)
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
}

func TestTrustBundleIsHeldLikeTheCredentials(t *testing.T) {
	w := newWorld(t)
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "bundle"}}
	w.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "bundle"}
	w.CreateCluster(w.Bed)
	w.settle()
	w.requireFalse(infrav1.TrustBundleResolvedCondition, infrav1.TrustBundleNotFoundReason)

	bundle.Data = map[string]string{infrav1.NutanixTrustBundleKey: "no certificate"}
	w.Create(bundle)
	w.settle()
	w.requireFalse(infrav1.TrustBundleResolvedCondition, infrav1.TrustBundleInvalidReason)

	controllertest.Change(w.Bed, bundle, func(c *corev1.ConfigMap) { c.Data[infrav1.NutanixTrustBundleKey] = string(w.Prism.Bundle()) })
	w.settle()
	assert.True(t, w.NutanixCluster.Status.Ready)
	require.False(t, w.Gone(bundle))
	assert.Equal(t, []string{infrav1.CredentialFinalizer}, bundle.Finalizers)
	assert.Contains(t, bundle.Labels, moveLabel)
	w.delete()
	require.False(t, w.Gone(bundle))
	assert.Empty(t, bundle.Finalizers)
}

func TestWayToPrism(t *testing.T) {
	tests := map[string]struct {
		arrange   func(w *world)
		condition string
		reason    string
		heal      func(w *world)
	}{
		"no Secret": {func(w *world) { w.NutanixCluster.Spec.PrismCentral.CredentialRef.Name = "nobody" }, infrav1.CredentialsResolvedCondition, infrav1.CredentialsNotFoundReason,
			func(w *world) {
				mutate(w, func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.CredentialRef.Name = "c-creds" })
			}},
		"a Secret without credentials": {func(w *world) {
			w.Credentials.Data = map[string][]byte{infrav1.NutanixCredentialKey: []byte(`{"password":"` + controllertest.Password + `"`)}
		},
			infrav1.CredentialsResolvedCondition, infrav1.CredentialsInvalidReason, func(w *world) { w.ChangePassword(w.Bed, controllertest.Password) }},
		"a wrong password": {func(w *world) { w.Prism.SetPassword("another") }, infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason,
			func(w *world) { w.ChangePassword(w.Bed, "another") }},
		"no permission": {func(w *world) { w.Prism.Fail(http.StatusForbidden) }, infrav1.CredentialsResolvedCondition, infrav1.PermissionDeniedReason, func(w *world) { w.Prism.Fail(0) }},
		"no trust": {func(w *world) { w.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = nil }, infrav1.TrustBundleResolvedCondition, infrav1.CertificateInvalidReason,
			func(w *world) { mutate(w, func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.Insecure = true }) }},
		"failing":   {func(w *world) { w.Prism.Fail(http.StatusServiceUnavailable) }, infrav1.CredentialsResolvedCondition, infrav1.PrismUnreachableReason, func(w *world) { w.Prism.Fail(0) }},
		"throttled": {func(w *world) { w.Prism.Fail(http.StatusTooManyRequests) }, infrav1.CredentialsResolvedCondition, infrav1.PrismUnreachableReason, func(w *world) { w.Prism.Fail(0) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.arrange(w)
			w.CreateCluster(w.Bed)
			result := w.settle()
			w.requireFalse(test.condition, test.reason)
			assert.Equal(t, test.reason, conditions.GetReason(w.NutanixCluster, infrav1.ReadyCondition), "Ready repeats the reason")
			assert.Positive(t, result.RequeueAfter)
			assert.Empty(t, w.Terraform.Runs())
			test.heal(w)
			w.settle()
			assert.True(t, w.NutanixCluster.Status.Ready, "%+v", w.NutanixCluster.Status.Conditions)
		})
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	w.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "s3", ConfigSecretRef: &corev1.LocalObjectReference{Name: "backend"}}}
	w.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "bundle"}
	w.NutanixCluster.Spec.ControlPlaneFailureDomains = []corev1.LocalObjectReference{{Name: "fd-1"}}
	w.CreateCluster(w.Bed)
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{clusterv1.ClusterNameLabel: "c"}}
	}
	r, ctx := w.reconciler, t.Context()
	for namespace, users := range map[string]int{w.Namespace: 1, "elsewhere": 0} {
		assert.Len(t, r.usersOfSecret(ctx, &corev1.Secret{ObjectMeta: meta(namespace, "c-creds")}), users)
		assert.Len(t, r.usersOfSecret(ctx, &corev1.Secret{ObjectMeta: meta(namespace, "backend")}), users)
		assert.Len(t, r.usersOfConfigMap(ctx, &corev1.ConfigMap{ObjectMeta: meta(namespace, "bundle")}), users)
		assert.Len(t, r.usersOfFailureDomain(ctx, &infrav1.NutanixFailureDomain{ObjectMeta: meta(namespace, "fd-1")}), users)
	}
	assert.Empty(t, r.usersOfSecret(ctx, &corev1.Secret{ObjectMeta: meta(w.Namespace, "bundle")}), "a Secret is no ConfigMap")
	assert.Empty(t, r.usersOfConfigMap(ctx, &corev1.ConfigMap{ObjectMeta: meta(w.Namespace, "c-creds")}))
	assert.Empty(t, r.clusterOfMachine(ctx, &infrav1.NutanixMachine{ObjectMeta: meta(w.Namespace, "m")}), "only a cluster that goes waits for machines")
	mutate(w, func(c *infrav1.NutanixCluster) { c.Finalizers = []string{infrav1.NutanixClusterFinalizer} })
	require.NoError(t, api.Delete(ctx, w.NutanixCluster))
	assert.Len(t, r.clusterOfMachine(ctx, &infrav1.NutanixMachine{ObjectMeta: meta(w.Namespace, "m")}), 1)
	mutate(w, func(c *infrav1.NutanixCluster) { c.Finalizers = nil })
}

func TestBackendSecretIsAwaited(t *testing.T) {
	w := newWorld(t)
	w.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "s3", ConfigSecretRef: &corev1.LocalObjectReference{Name: "backend"}},
		Drift: &infrav1.TerraformDrift{IntervalSeconds: ptr.To[int32](60)}}
	w.CreateCluster(w.Bed)
	w.settle()
	w.requireFalse(infrav1.PlanRecordedCondition, infrav1.BackendConfigNotFoundReason)
	assert.Empty(t, w.NutanixCluster.Annotations[infrav1.WorkspaceKeyAnnotation], "nothing can exist yet")
	w.delete()
	assert.True(t, w.Gone(w.NutanixCluster))
}
