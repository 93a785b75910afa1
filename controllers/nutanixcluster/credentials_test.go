package nutanixcluster

import (
	"net/http"
	"strings"
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
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/renderer"
)

const moveLabel = "clusterctl.cluster.x-k8s.io/move"

// If a Secret is deleted together with its cluster, the Secret stays until the cluster no longer needs it.
func TestCredentialsAreProtectedUntilTheClusterIsDeleted(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	require.False(t, e.Gone(e.Credentials))
	assert.Equal(t, []string{infrav1.CredentialFinalizer}, e.Credentials.Finalizers)
	assert.Contains(t, e.Credentials.Labels, moveLabel)
	assert.Empty(t, e.Credentials.OwnerReferences)
	require.NoError(t, api.Delete(t.Context(), e.Credentials))
	require.False(t, e.Gone(e.Credentials))
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready, "it works as long as it is needed")
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.True(t, e.Gone(e.Credentials))
}

func TestSharedCredentialsAreProtectedUntilTheLastClusterIsDeleted(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	second := &infrav1.NutanixCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: "d", OwnerReferences: e.NutanixCluster.OwnerReferences},
		Spec:       *e.NutanixCluster.Spec.DeepCopy(),
	}
	e.Create(second)
	e.Settle(e.reconciler, kind, second)
	e.delete()
	require.False(t, e.Gone(e.Credentials))
	assert.Contains(t, e.Credentials.Finalizers, infrav1.CredentialFinalizer)
	require.NoError(t, api.Delete(t.Context(), second))
	e.Settle(e.reconciler, kind, second)
	require.False(t, e.Gone(e.Credentials))
	assert.Empty(t, e.Credentials.Finalizers)
}

func TestFormerCredentialsAreReleased(t *testing.T) {
	e := newTestEnvironment(t)
	e.running()
	second := e.Credentials.DeepCopy()
	second.ObjectMeta = metav1.ObjectMeta{Namespace: e.Namespace, Name: "second"}
	e.Create(second)
	mutate(e, func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.CredentialRef.Name = "second" })
	e.settle()
	require.False(t, e.Gone(e.Credentials) || e.Gone(second))
	assert.Empty(t, e.Credentials.Finalizers)
	assert.Contains(t, second.Finalizers, infrav1.CredentialFinalizer)
}

// A patch of CAPNT's finalizer does not remove a finalizer that another controller has just added.
func TestForeignFinalizersOfCredentialsStay(t *testing.T) {
	e := newTestEnvironment(t)
	e.CreateCluster(e.Environment)
	require.False(t, e.Gone(e.Credentials))
	before := e.Credentials.DeepCopy()
	const others = "example.com/in-use"
	e.Credentials.Finalizers = []string{others}
	require.NoError(t, api.Update(t.Context(), e.Credentials))

	now := e.reconciler.Client
	e.reconciler.Client = controllertest.Stale[*corev1.Secret]{Client: now, Object: before}
	require.True(t, apierrors.IsConflict(e.reconciler.protectCredentials(t.Context(), e.NutanixCluster)))
	e.reconciler.Client = now
	require.NoError(t, e.reconciler.protectCredentials(t.Context(), e.NutanixCluster))
	require.False(t, e.Gone(e.Credentials))
	assert.ElementsMatch(t, []string{others, infrav1.CredentialFinalizer}, e.Credentials.Finalizers)

	before.Finalizers = []string{infrav1.CredentialFinalizer}
	require.True(t, apierrors.IsConflict(e.reconciler.removeFinalizer(t.Context(), before)))
	require.NoError(t, e.reconciler.removeFinalizer(t.Context(), e.Credentials))
	require.False(t, e.Gone(e.Credentials))
	assert.Equal(t, []string{others}, e.Credentials.Finalizers)
	e.Credentials.Finalizers = nil
	require.NoError(t, api.Update(t.Context(), e.Credentials))
}

// The spec of a cluster may now name other credentials than the credentials that got the finalizer before.
func TestDeletionReleasesFormerCredentials(t *testing.T) {
	e := newTestEnvironment(t)
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: "bundle"},
		Data: map[string]string{infrav1.NutanixTrustBundleKey: string(e.Prism.Bundle())}}
	e.Create(bundle)
	inline := e.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle
	e.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "bundle"}
	e.running()
	second := e.Credentials.DeepCopy()
	second.ObjectMeta = metav1.ObjectMeta{Namespace: e.Namespace, Name: "second"}
	e.Create(second)
	mutate(e, func(c *infrav1.NutanixCluster) {
		c.Spec.PrismCentral.CredentialRef.Name = "second"
		c.Spec.PrismCentral.AdditionalTrustBundle = inline
	})
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	for _, object := range []client.Object{e.Credentials, second, bundle} {
		require.False(t, e.Gone(object))
		assert.Empty(t, object.GetFinalizers(), object.GetName())
	}
}

// A user who may write clusters in one namespace must not be able to block deletions in another namespace.
func TestCredentialsInAnotherNamespaceAreNotChanged(t *testing.T) {
	e := newTestEnvironment(t)
	e.reconciler.Client = api
	guest := controllertest.NewEnvironment(t, api)
	secret, bundle := e.Credentials.DeepCopy(), &corev1.ConfigMap{Data: map[string]string{infrav1.NutanixTrustBundleKey: string(e.Prism.Bundle())}}
	secret.ObjectMeta = metav1.ObjectMeta{Namespace: guest.Namespace, Name: "c-creds"}
	bundle.ObjectMeta = metav1.ObjectMeta{Namespace: guest.Namespace, Name: "bundle"}
	e.Create(secret, bundle)
	e.NutanixCluster.Spec.PrismCentral.CredentialRef.Namespace = guest.Namespace
	e.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{
		Kind: infrav1.NutanixTrustBundleKindConfigMap, Namespace: guest.Namespace, Name: "bundle"}
	e.running()
	for _, object := range []client.Object{secret, bundle} {
		require.False(t, e.Gone(object))
		assert.Empty(t, object.GetFinalizers())
		assert.NotContains(t, object.GetLabels(), moveLabel)
	}
	assert.Len(t, e.reconciler.usersOfSecret(t.Context(), secret), 1, "a change is noticed all the same")
	assert.Len(t, e.reconciler.usersOfConfigMap(t.Context(), bundle), 1)
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
}

func TestTrustBundleIsProtected(t *testing.T) {
	e := newTestEnvironment(t)
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: "bundle"}}
	e.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "bundle"}
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.TrustBundleResolvedCondition, infrav1.TrustBundleNotFoundReason)

	bundle.Data = map[string]string{infrav1.NutanixTrustBundleKey: "no certificate"}
	e.Create(bundle)
	e.settle()
	e.requireFalse(infrav1.TrustBundleResolvedCondition, infrav1.TrustBundleInvalidReason)

	controllertest.Change(e.Environment, bundle, func(c *corev1.ConfigMap) { c.Data[infrav1.NutanixTrustBundleKey] = string(e.Prism.Bundle()) })
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
	require.False(t, e.Gone(bundle))
	assert.Equal(t, []string{infrav1.CredentialFinalizer}, bundle.Finalizers)
	assert.Contains(t, bundle.Labels, moveLabel)
	e.delete()
	require.False(t, e.Gone(bundle))
	assert.Empty(t, bundle.Finalizers)
}

func TestPrismAccess(t *testing.T) {
	tests := map[string]struct {
		arrange   func(e *testEnvironment)
		condition string
		reason    string
		heal      func(e *testEnvironment)
	}{
		"no Secret": {func(e *testEnvironment) { e.NutanixCluster.Spec.PrismCentral.CredentialRef.Name = "nobody" }, infrav1.CredentialsResolvedCondition, infrav1.CredentialsNotFoundReason,
			func(e *testEnvironment) {
				mutate(e, func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.CredentialRef.Name = "c-creds" })
			}},
		"a Secret without credentials": {func(e *testEnvironment) {
			e.Credentials.Data = map[string][]byte{infrav1.NutanixCredentialKey: []byte(`{"password":"` + controllertest.Password + `"`)}
		},
			infrav1.CredentialsResolvedCondition, infrav1.CredentialsInvalidReason, func(e *testEnvironment) { e.ChangePassword(e.Environment, controllertest.Password) }},
		"a wrong password": {func(e *testEnvironment) { e.Prism.SetPassword("another") }, infrav1.CredentialsResolvedCondition, infrav1.AuthenticationFailedReason,
			func(e *testEnvironment) { e.ChangePassword(e.Environment, "another") }},
		"no permission": {func(e *testEnvironment) { e.Prism.Fail(http.StatusForbidden) }, infrav1.CredentialsResolvedCondition, infrav1.PermissionDeniedReason, func(e *testEnvironment) { e.Prism.Fail(0) }},
		"no trust": {func(e *testEnvironment) { e.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = nil }, infrav1.TrustBundleResolvedCondition, infrav1.CertificateInvalidReason,
			func(e *testEnvironment) {
				mutate(e, func(c *infrav1.NutanixCluster) { c.Spec.PrismCentral.Insecure = true })
			}},
		"failing":   {func(e *testEnvironment) { e.Prism.Fail(http.StatusServiceUnavailable) }, infrav1.CredentialsResolvedCondition, infrav1.PrismUnreachableReason, func(e *testEnvironment) { e.Prism.Fail(0) }},
		"throttled": {func(e *testEnvironment) { e.Prism.Fail(http.StatusTooManyRequests) }, infrav1.CredentialsResolvedCondition, infrav1.PrismUnreachableReason, func(e *testEnvironment) { e.Prism.Fail(0) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			test.arrange(e)
			e.CreateCluster(e.Environment)
			result := e.settle()
			e.requireFalse(test.condition, test.reason)
			assert.Equal(t, test.reason, conditions.GetReason(e.NutanixCluster, infrav1.ReadyCondition), "Ready repeats the reason")
			assert.Positive(t, result.RequeueAfter)
			assert.Empty(t, e.Terraform.Runs())
			test.heal(e)
			e.settle()
			assert.True(t, e.NutanixCluster.Status.Ready, "%+v", e.NutanixCluster.Status.Conditions)
		})
	}
}

func TestUsersOfSecretAndConfigMap(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "s3", ConfigSecretRef: &corev1.LocalObjectReference{Name: "backend"}}}
	e.NutanixCluster.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "bundle"}
	e.NutanixCluster.Spec.ControlPlaneFailureDomains = []corev1.LocalObjectReference{{Name: "fd-1"}}
	e.CreateCluster(e.Environment)
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{clusterv1.ClusterNameLabel: "c"}}
	}
	r, ctx := e.reconciler, t.Context()
	for namespace, users := range map[string]int{e.Namespace: 1, "elsewhere": 0} {
		assert.Len(t, r.usersOfSecret(ctx, &corev1.Secret{ObjectMeta: meta(namespace, "c-creds")}), users)
		assert.Len(t, r.usersOfSecret(ctx, &corev1.Secret{ObjectMeta: meta(namespace, "backend")}), users)
		assert.Len(t, r.usersOfConfigMap(ctx, &corev1.ConfigMap{ObjectMeta: meta(namespace, "bundle")}), users)
		assert.Len(t, r.usersOfFailureDomain(ctx, &infrav1.NutanixFailureDomain{ObjectMeta: meta(namespace, "fd-1")}), users)
	}
	assert.Empty(t, r.usersOfSecret(ctx, &corev1.Secret{ObjectMeta: meta(e.Namespace, "bundle")}), "a Secret is no ConfigMap")
	assert.Empty(t, r.usersOfConfigMap(ctx, &corev1.ConfigMap{ObjectMeta: meta(e.Namespace, "c-creds")}))
	assert.Empty(t, r.clusterOfMachine(ctx, &infrav1.NutanixMachine{ObjectMeta: meta(e.Namespace, "m")}), "only a cluster that goes waits for machines")
	mutate(e, func(c *infrav1.NutanixCluster) { c.Finalizers = []string{infrav1.NutanixClusterFinalizer} })
	require.NoError(t, api.Delete(ctx, e.NutanixCluster))
	assert.Len(t, r.clusterOfMachine(ctx, &infrav1.NutanixMachine{ObjectMeta: meta(e.Namespace, "m")}), 1)
	mutate(e, func(c *infrav1.NutanixCluster) { c.Finalizers = nil })
}

func TestBackendSecretIsAwaited(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "s3", ConfigSecretRef: &corev1.LocalObjectReference{Name: "backend"}},
		Drift: &infrav1.TerraformDrift{IntervalSeconds: ptr.To[int32](60)}}
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.BackendConfigNotFoundReason)
	assert.Empty(t, e.NutanixCluster.Annotations[infrav1.WorkspaceKeyAnnotation], "nothing can exist yet")
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
}

// backendSpec configures an http backend whose secrets are in the Secret with the name secret.
func backendSpec(secret string) *infrav1.TerraformSpec {
	return &infrav1.TerraformSpec{Backend: &infrav1.TerraformBackend{Type: "http", Config: map[string]string{"address": "https://states.example.com/{suffix}"},
		ConfigSecretRef: &corev1.LocalObjectReference{Name: secret}}}
}

func (e *testEnvironment) backendSecret(name, variable string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name}, Data: map[string][]byte{variable: []byte("s3cr3t")}}
	e.Create(secret)
	return secret
}

// A destroy needs the secrets of the backend, so the Secret stays until the cluster is gone. clusterctl moves it with the
// cluster.
func TestBackendSecretIsProtectedUntilTheClusterIsDeleted(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.Terraform = backendSpec("backend")
	secret, former := e.backendSecret("backend", "TF_HTTP_PASSWORD"), e.backendSecret("former", "TF_HTTP_PASSWORD")
	e.running()
	require.False(t, e.Gone(secret))
	assert.Equal(t, []string{infrav1.CredentialFinalizer}, secret.Finalizers)
	assert.Contains(t, secret.Labels, moveLabel)

	mutate(e, func(c *infrav1.NutanixCluster) { c.Spec.Terraform.Backend.ConfigSecretRef.Name = "former" })
	e.settle()
	require.False(t, e.Gone(secret))
	assert.Empty(t, secret.Finalizers, "no cluster uses it any more")
	require.NoError(t, api.Delete(t.Context(), former))
	require.False(t, e.Gone(former))
	e.settle()
	assert.True(t, e.NutanixCluster.Status.Ready)
	e.delete()
	assert.True(t, e.Gone(e.NutanixCluster))
	assert.True(t, e.Gone(former))
}

// An unknown variable and a state that several objects would share stop the cluster before anything runs.
func TestUnusableBackendIsReported(t *testing.T) {
	tests := map[string]struct {
		variable, address, message string
	}{
		"a variable that the backend does not document": {"LD_PRELOAD", "https://states.example.com/{suffix}", "key LD_PRELOAD is not allowed for backend http"},
		"one state for several objects":                 {"TF_HTTP_PASSWORD", "https://states.example.com/state", "spec.terraform.backend.config[address]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newTestEnvironment(t)
			e.NutanixCluster.Spec.Terraform = backendSpec("backend")
			e.NutanixCluster.Spec.Terraform.Backend.Config["address"] = test.address
			secret := e.backendSecret("backend", test.variable)
			e.CreateCluster(e.Environment)
			e.settle()
			e.requireFalse(infrav1.PlanRecordedCondition, infrav1.BackendConfigInvalidReason)
			assert.Contains(t, conditions.GetMessage(e.NutanixCluster, infrav1.PlanRecordedCondition), test.message)
			assert.NotContains(t, conditions.GetMessage(e.NutanixCluster, infrav1.PlanRecordedCondition), "s3cr3t")
			assert.Empty(t, e.Terraform.Runs())

			controllertest.Change(e.Environment, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"TF_HTTP_PASSWORD": []byte("s3cr3t")} })
			mutate(e, func(c *infrav1.NutanixCluster) {
				c.Spec.Terraform.Backend.Config["address"] = "https://states.example.com/{suffix}"
			})
			e.settle()
			assert.True(t, e.NutanixCluster.Status.Ready, "%+v", e.NutanixCluster.Status.Conditions)
		})
	}
}

// The configuration of a cluster that exists is refused, for example after an upgrade. A deletion waits and continues when
// the configuration is corrected.
func TestDeletionWaitsForUsableBackend(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.Terraform = backendSpec("backend")
	e.backendSecret("backend", "TF_HTTP_PASSWORD")
	e.running()
	mutate(e, func(c *infrav1.NutanixCluster) {
		c.Spec.Terraform.Backend.Config["address"] = "https://states.example.com/state"
	})
	e.settle()
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.BackendConfigInvalidReason)
	assert.True(t, conditions.IsTrue(e.NutanixCluster, infrav1.AppliedCondition))
	e.delete()
	require.False(t, e.Gone(e.NutanixCluster))
	e.requireFalse(infrav1.AppliedCondition, infrav1.BackendConfigInvalidReason)
	assert.Empty(t, e.Terraform.Runs(), "nothing runs")
	mutate(e, func(c *infrav1.NutanixCluster) {
		c.Spec.Terraform.Backend.Config["address"] = "https://states.example.com/{suffix}"
	})
	e.settle()
	assert.True(t, e.Gone(e.NutanixCluster))
}

func TestReadableStatesAreReportedOnce(t *testing.T) {
	e := newTestEnvironment(t)
	e.NutanixCluster.Spec.Terraform = backendSpec("backend")
	e.backendSecret("backend", "TF_HTTP_PASSWORD")
	e.running()
	e.settle()
	e.reconciler = &Reconciler{Dependencies: e.reconciler.Dependencies} // as after a restart
	e.settle()
	assert.Equal(t, 1, strings.Count(strings.Join(e.Recorder.All(), "\n"), "Warning "+infrav1.StatesReadableReason))
	assert.False(t, lifecycle.Backend{Backend: renderer.Backend{Type: "http"}, Environment: map[string]string{"TF_ENCRYPTION": "x"}}.Readable())
	assert.False(t, lifecycle.Backend{Backend: renderer.Backend{Type: "kubernetes"}}.Readable())
}
