package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

func stateSecret(namespace, name, suffix string, owners ...metav1.OwnerReference) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, OwnerReferences: owners,
		Labels: map[string]string{labelState: "true", labelStateSuffix: suffix, "tfstateWorkspace": "default"},
	}}
}

func stateLease(namespace, suffix, holder string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "lock-tfstate-default-" + suffix},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder},
	}
}

func keeper(t *testing.T, objects ...client.Object) *SecretKeeper {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, infrav1.AddToScheme(scheme))
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	return &SecretKeeper{Client: api, Reader: api}
}

func keeperTarget(kind string) Target {
	return Target{
		Object:  &infrav1.NutanixMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "m", UID: "new"}},
		Desired: Desired{Backend: Backend{Suffix: "m-x-machine", Backend: renderer.Backend{Type: kind}}},
	}
}

func TestAdoptMakesTheObjectTheOwnerOfItsState(t *testing.T) {
	machine := func(uid string) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: infrav1.GroupVersion.String(), Kind: "NutanixMachine", Name: "m", UID: types.UID(uid)}
	}
	stranger := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}
	tests := map[string]struct {
		before, after []metav1.OwnerReference
	}{
		"nobody yet":           {nil, []metav1.OwnerReference{machine("new")}},
		"already":              {[]metav1.OwnerReference{machine("new")}, []metav1.OwnerReference{machine("new")}},
		"its former life":      {[]metav1.OwnerReference{machine("old")}, []metav1.OwnerReference{machine("new")}},
		"beside another owner": {[]metav1.OwnerReference{stranger}, []metav1.OwnerReference{stranger, machine("new")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			keeper := keeper(t, stateSecret("a", "tfstate-default-m-x-machine", "m-x-machine", test.before...),
				stateSecret("a", "tfstate-default-m-x-machine-part-1", "m-x-machine", test.before...),
				stateSecret("a", "tfstate-default-other", "other"), stateSecret("b", "tfstate-default-m-x-machine", "m-x-machine"))
			require.NoError(t, keeper.Adopt(t.Context(), keeperTarget("kubernetes")))
			owners := map[string][]metav1.OwnerReference{}
			secrets := &corev1.SecretList{}
			require.NoError(t, keeper.Reader.List(t.Context(), secrets))
			for i := range secrets.Items {
				owners[secrets.Items[i].Namespace+"/"+secrets.Items[i].Name] = secrets.Items[i].OwnerReferences
			}
			assert.Equal(t, map[string][]metav1.OwnerReference{
				"a/tfstate-default-m-x-machine": test.after, "a/tfstate-default-m-x-machine-part-1": test.after,
				"a/tfstate-default-other": nil, "b/tfstate-default-m-x-machine": nil,
			}, owners)
		})
	}
}

func TestRemoveDeletesOnlyTheStateOfTheTarget(t *testing.T) {
	keeper := keeper(t, stateSecret("a", "tfstate-default-m-x-machine", "m-x-machine"), stateSecret("a", "tfstate-default-m-x-machine-part-1", "m-x-machine"),
		stateSecret("a", "tfstate-default-other", "other"), stateSecret("b", "tfstate-default-m-x-machine", "m-x-machine"),
		stateLease("a", "m-x-machine", ""), stateLease("a", "other", ""), stateLease("b", "m-x-machine", ""))
	for range 2 { // the second call finds nothing to remove
		require.NoError(t, keeper.Remove(t.Context(), keeperTarget("kubernetes")))
	}
	secrets, leases := &corev1.SecretList{}, &coordinationv1.LeaseList{}
	require.NoError(t, keeper.Reader.List(t.Context(), secrets))
	require.NoError(t, keeper.Reader.List(t.Context(), leases))
	assert.Len(t, secrets.Items, 2)
	assert.Len(t, leases.Items, 2)
}

func TestUnlockBreaksOnlyThatLock(t *testing.T) {
	holds := keeper(t, stateLease("a", "m-x-machine", "lock-1"))
	require.ErrorContains(t, holds.Unlock(t.Context(), keeperTarget("kubernetes"), "lock-2"), "another holder")
	require.NoError(t, holds.Unlock(t.Context(), keeperTarget("kubernetes"), "lock-1"))
	err := holds.Reader.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: "lock-tfstate-default-m-x-machine"}, &coordinationv1.Lease{})
	assert.True(t, apierrors.IsNotFound(err))
	require.Error(t, holds.Unlock(t.Context(), keeperTarget("kubernetes"), "lock-1"))

	free := stateLease("a", "m-x-machine", "")
	free.Spec.HolderIdentity = nil
	require.ErrorContains(t, keeper(t, free).Unlock(t.Context(), keeperTarget("kubernetes"), "lock-1"), "another holder")
}

func TestKeeperIgnoresOtherBackends(t *testing.T) {
	keeper := keeper(t, stateSecret("a", "tfstate-default-m-x-machine", "m-x-machine"), stateLease("a", "m-x-machine", "lock-1"))
	target := keeperTarget("s3")
	require.NoError(t, keeper.Adopt(t.Context(), target))
	require.NoError(t, keeper.Remove(t.Context(), target))
	require.ErrorContains(t, keeper.Unlock(t.Context(), target, "lock-1"), "s3")
	secret, lease := &corev1.Secret{}, &coordinationv1.Lease{}
	require.NoError(t, keeper.Reader.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: "tfstate-default-m-x-machine"}, secret))
	assert.Empty(t, secret.OwnerReferences)
	require.NoError(t, keeper.Reader.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: "lock-tfstate-default-m-x-machine"}, lease))
	assert.Equal(t, "lock-1", ptr.Deref(lease.Spec.HolderIdentity, ""))
}
