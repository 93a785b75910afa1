package state

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// deleteNamespace deletes the namespace of the fixture and everything of the state in it, as the namespace controller does. The API server
// of this package has no namespace controller, so the namespace stays.
func (f *fixture) deleteNamespace() {
	f.Helper()
	require.NoError(f, f.api.Delete(f.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.key.Namespace}}))
	for _, object := range []client.Object{newSecret(f.key), newLease(f.key)} {
		require.NoError(f, client.IgnoreNotFound(f.api.Delete(f.Context(), object)))
	}
}

// deleteOwner deletes the owner. A finalizer keeps it.
func (f *fixture) deleteOwner() {
	f.Helper()
	f.owner.Finalizers = []string{"example.com/owner"}
	require.NoError(f, f.api.Update(f.Context(), f.owner))
	require.NoError(f, f.api.Delete(f.Context(), f.owner))
	require.NoError(f, f.api.Get(f.Context(), client.ObjectKeyFromObject(f.owner), f.owner))
}

func (f *fixture) requireGone() {
	f.Helper()
	require.True(f, apierrors.IsNotFound(f.api.Get(f.Context(), f.key.secret(), &corev1.Secret{})), "the Secret is left")
	require.True(f, apierrors.IsNotFound(f.api.Get(f.Context(), f.key.lease(), &coordinationv1.Lease{})), "the Lease is left")
}

func TestStateCanBeUsedUntilItIsRemoved_WhileItsNamespaceIsDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	earlier := f.open(f.store)
	f.served(earlier).run("apply", "-auto-approve", "-var=value=a")
	f.deleteNamespace()
	require.NotNil(t, f.secret().DeletionTimestamp)
	require.NotNil(t, f.lease().DeletionTimestamp)

	person := f.direct()
	person.run("apply", "-auto-approve", "-var=value=b")
	assert.Equal(t, []string{Finalizer}, f.secret().Finalizers, "Terraform has removed the finalizer")
	assert.Equal(t, []string{Finalizer}, f.lease().Finalizers, "Terraform has removed the finalizer")

	f.deleteOwner()
	require.NoError(t, earlier.Lock(t.Context(), "1", describe("1", "test")))
	next := newStore(f.api, "term-2")
	next.Dead = alwaysDead
	session := f.open(next)
	assert.Equal(t, "1", session.Broken().ID)
	require.ErrorIs(t, earlier.Write(t.Context(), "1", []byte(initial)), errTakenOver)
	f.served(session).run("destroy", "-auto-approve", "-var=value=b")
	stored, err := session.Read(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, string(stored), "terraform_data")
	assert.Equal(t, "term-2", f.secret().Annotations[TermAnnotation])

	require.NoError(t, next.Remove(t.Context(), f.key))
	f.requireGone()
}

func TestStateOfAnEarlierReleaseGetsTheFinalizer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.direct().run("apply", "-auto-approve", "-var=value=a")
	require.Empty(t, f.secret().Finalizers)
	require.Empty(t, f.lease().Finalizers)
	f.open(f.store)
	for _, object := range []client.Object{f.secret(), f.lease()} {
		assert.Equal(t, []string{Finalizer}, object.GetFinalizers())
		assert.Equal(t, "owner", object.GetOwnerReferences()[0].Name)
		assert.Equal(t, "true", object.GetLabels()[stateLabel], "the sweeper does not find the object")
	}
	unchanged := f.lease().ResourceVersion
	f.open(f.store)
	assert.Equal(t, unchanged, f.lease().ResourceVersion)
}

func TestStateIsKeptInMemory_IfNoSecretCanBeCreated(t *testing.T) {
	t.Parallel()
	for name, leaseExists := range map[string]bool{"without Lease": false, "with Lease": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.open(f.store).Close(t.Context())
			f.force(f.secret())
			if !leaseExists {
				f.force(f.lease())
			}
			f.deleteNamespace()
			_, err := f.store.Open(t.Context(), f.key, f.owner)
			require.True(t, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), "only a destruction may do without a Secret: %v", err)

			f.deleteOwner()
			session := f.open(f.store)
			f.served(session).run("apply", "-auto-approve", "-var=value=a")
			if leaseExists {
				assert.Empty(t, f.holder())
			}
			session.Close(t.Context())
			session = f.open(f.store)
			stored, err := session.Read(t.Context())
			require.NoError(t, err)
			assert.Contains(t, string(stored), "terraform_data", "the next run of this process has the same state")
			f.served(session).run("destroy", "-auto-approve", "-var=value=a")

			require.NoError(t, f.store.Remove(t.Context(), f.key))
			f.requireGone()
			assert.Empty(t, f.store.unstored)
		})
	}
}

func TestStateWithoutOwnerIsReleased(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := Key{Namespace: f.key.Namespace, Suffix: "m-0-x-machine"} // on the first page
	survivor := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: f.key.Namespace, Name: "survivor"}}
	require.NoError(t, f.api.Create(t.Context(), survivor))
	kept, err := f.store.Open(t.Context(), other, survivor)
	require.NoError(t, err)
	kept.Close(t.Context())
	f.open(f.store).Close(t.Context())
	secret := f.secret()
	secret.Finalizers = append(secret.Finalizers, "example.com/other")
	require.NoError(t, f.api.Update(t.Context(), secret))
	sweeper := &Sweeper{Store: f.store, Namespace: f.key.Namespace, page: 1}

	require.NoError(t, f.api.Delete(t.Context(), f.owner)) // without Remove
	require.NoError(t, sweeper.sweep(t.Context()))
	assert.Contains(t, f.secret().Finalizers, Finalizer, "the Secret is not being deleted")

	for _, key := range []Key{f.key, other} {
		require.NoError(t, f.api.Delete(t.Context(), newSecret(key)))
		require.NoError(t, f.api.Delete(t.Context(), newLease(key)))
	}
	require.NoError(t, sweeper.sweep(t.Context()))
	assert.Equal(t, []string{"example.com/other"}, f.secret().Finalizers)
	f.force(f.secret())
	f.requireGone()
	f.key = other
	assert.Contains(t, f.secret().Finalizers, Finalizer, "the owner exists")
	assert.Contains(t, f.lease().Finalizers, Finalizer, "the owner exists")

	require.NoError(t, f.api.Delete(t.Context(), survivor))
	survivor.ObjectMeta = metav1.ObjectMeta{Namespace: f.key.Namespace, Name: "survivor"}
	require.NoError(t, f.api.Create(t.Context(), survivor)) // as if it were restored from a backup
	require.NoError(t, sweeper.sweep(t.Context()))
	assert.Contains(t, f.secret().Finalizers, Finalizer)
	kept, err = f.store.Open(t.Context(), f.key, survivor)
	require.NoError(t, err)
	kept.Close(t.Context())
	assert.Equal(t, survivor.UID, f.secret().OwnerReferences[0].UID)
	assert.Equal(t, survivor.UID, f.lease().OwnerReferences[0].UID)
}

// TestSweepReadsPagesOfMetadata proves that the Secrets of a namespace that are not states do not make a sweep slower, and that a sweep
// does not read states.
func TestSweepReadsPagesOfMetadata(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	api, err := client.NewWithWatch(environment.Config, client.Options{})
	require.NoError(t, err)
	lists := 0
	f.store.Reader = interceptor.NewClient(api, interceptor.Funcs{
		List: func(ctx context.Context, api client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			applied := (&client.ListOptions{}).ApplyOptions(options)
			assert.IsType(t, &metav1.PartialObjectMetadataList{}, list)
			assert.Equal(t, stateLabel+"=true", applied.LabelSelector.String())
			assert.EqualValues(t, sweepPage, applied.Limit)
			lists++
			return api.List(ctx, list, options...)
		},
	})
	require.NoError(t, (&Sweeper{Store: f.store, Namespace: f.key.Namespace}).sweep(t.Context()))
	assert.Equal(t, 2, lists)
}
