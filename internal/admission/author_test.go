package admission_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func author(object client.Object) string { return object.GetAnnotations()[infrav1.AuthorAnnotation] }

func setAnnotation(object client.Object, key, value string) {
	object.SetAnnotations(map[string]string{key: value})
}

func TestAuthorIsTheUserWhoLastChangedTheSpec(t *testing.T) {
	for name, tc := range map[string]struct {
		object func(ns string) client.Object
		change func(client.Object)
	}{
		"machine": {
			func(ns string) client.Object { return machine(ns) },
			func(o client.Object) { o.(*infrav1.NutanixMachine).Spec.Image = ptr.To(byName("other")) },
		},
		"cluster": {
			func(ns string) client.Object { return cluster(ns) },
			func(o client.Object) { o.(*infrav1.NutanixCluster).Spec.PrismCentral.Address = "other.example.com" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t)
			alice, bob := as(t, ns, "alice"), as(t, ns, "bob")
			object := tc.object(ns)
			setAnnotation(object, infrav1.AuthorAnnotation, "mallory")
			require.NoError(t, alice.Create(t.Context(), object))
			assert.Equal(t, "alice", author(object), "the client wrote another name")

			setAnnotation(object, infrav1.AuthorAnnotation, "mallory")
			require.NoError(t, bob.Update(t.Context(), object))
			assert.Equal(t, "alice", author(object), "only the annotation was changed")
			object.SetAnnotations(nil)
			require.NoError(t, bob.Update(t.Context(), object))
			assert.Equal(t, "alice", author(object), "the annotation was removed")

			tc.change(object)
			require.NoError(t, bob.Update(t.Context(), object))
			assert.Equal(t, "bob", author(object))
		})
	}
}

// TestManagerIsNeverAnAuthor checks that the author stays the same when the manager writes the provider ID.
func TestManagerIsNeverAnAuthor(t *testing.T) {
	ns := namespace(t)
	m := machine(ns)
	require.NoError(t, as(t, ns, "alice").Create(t.Context(), m))
	m.Spec.ProviderID = "nutanix://" + uuid
	m.Annotations[infrav1.AuthorAnnotation] = "mallory"
	require.NoError(t, api.Update(t.Context(), m))
	assert.Equal(t, "alice", author(m))
	assert.Equal(t, "alice", m.Annotations[infrav1.CreatorAnnotation])
}

func TestTemplateAuthorIsItsCreator(t *testing.T) {
	ns := namespace(t)
	template := machineTemplate(ns)
	setAnnotation(template, infrav1.AuthorAnnotation, "mallory")
	require.NoError(t, as(t, ns, "alice").Create(t.Context(), template))
	assert.Equal(t, "alice", author(template))
	setAnnotation(template, infrav1.AuthorAnnotation, "mallory")
	require.NoError(t, as(t, ns, "bob").Update(t.Context(), template))
	assert.Equal(t, "alice", author(template))
}

// TestIdentityCannotChange checks that a user cannot let an object leave its infrastructure behind, not even while it is deleted.
func TestIdentityCannotChange(t *testing.T) {
	for kind, create := range map[string]func(ns string) client.Object{
		"NutanixMachine": func(ns string) client.Object { return machine(ns) },
		"NutanixCluster": func(ns string) client.Object { return cluster(ns) },
	} {
		for _, key := range []string{infrav1.WorkspaceKeyAnnotation, infrav1.StateSuffixAnnotation} {
			t.Run(kind+" "+key, func(t *testing.T) {
				ns := namespace(t)
				object := create(ns)
				object.SetFinalizers([]string{"example.com/keep"})
				setAnnotation(object, key, "mine")
				require.NoError(t, api.Create(t.Context(), object))
				require.NoError(t, api.Delete(t.Context(), object))
				require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
				changed, ok := object.DeepCopyObject().(client.Object)
				require.True(t, ok)
				setAnnotation(changed, key, "another")
				require.ErrorContains(t, as(t, ns, "bob").Update(t.Context(), changed), "restore mine")
				setAnnotation(object, "x", "y")
				require.NoError(t, api.Update(t.Context(), object), "clusterctl move removes the annotation")
				object.SetFinalizers(nil)
				require.NoError(t, api.Update(t.Context(), object))
			})
		}
	}
}

// TestPrismAPICannotChange checks that a user cannot let an object with a state be rendered for another API. The manager, which migrates the
// state, can.
func TestPrismAPICannotChange(t *testing.T) {
	for kind, create := range map[string]func(ns string) client.Object{
		"NutanixMachine": func(ns string) client.Object { return machine(ns) },
		"NutanixCluster": func(ns string) client.Object { return cluster(ns) },
	} {
		t.Run(kind, func(t *testing.T) {
			ns := namespace(t)
			object := create(ns)
			object.SetAnnotations(map[string]string{infrav1.WorkspaceKeyAnnotation: kind + ns, infrav1.PrismAPIAnnotation: "v4"})
			require.NoError(t, api.Create(t.Context(), object))
			for _, other := range []string{"v3", ""} {
				changed, ok := object.DeepCopyObject().(client.Object)
				require.True(t, ok)
				changed.GetAnnotations()[infrav1.PrismAPIAnnotation] = other
				require.ErrorContains(t, as(t, ns, "bob").Update(t.Context(), changed), "restore v4", other)
			}
			object.GetAnnotations()[infrav1.PrismAPIAnnotation] = "v3"
			require.NoError(t, api.Update(t.Context(), object), "the manager migrates the object")
			delete(object.GetAnnotations(), infrav1.PrismAPIAnnotation)
			require.NoError(t, as(t, ns, "bob").Update(t.Context(), object), "an object without the annotation uses v3")
			object.GetAnnotations()[infrav1.PrismAPIAnnotation] = "v4"
			require.ErrorContains(t, as(t, ns, "bob").Update(t.Context(), object), "restore v3")
		})
	}
}

// TestKeyBelongsToOneMachine checks that a user of one namespace cannot take over, and then destroy, the VM of a machine in another one.
func TestKeyBelongsToOneMachine(t *testing.T) {
	const message = "another NutanixMachine has the same VM"
	owner := machine(namespace(t))
	setAnnotation(owner, infrav1.WorkspaceKeyAnnotation, "key-of-the-owner")
	require.NoError(t, api.Create(t.Context(), owner))

	ns := namespace(t)
	thief := machine(ns)
	setAnnotation(thief, infrav1.WorkspaceKeyAnnotation, "key-of-the-owner")
	require.ErrorContains(t, as(t, ns, "mallory").Create(t.Context(), thief), message)
	thief = machine(ns)
	require.NoError(t, as(t, ns, "mallory").Create(t.Context(), thief))
	setAnnotation(thief, infrav1.WorkspaceKeyAnnotation, "key-of-the-owner")
	require.ErrorContains(t, as(t, ns, "mallory").Update(t.Context(), thief), message)

	require.NoError(t, api.Delete(t.Context(), owner))
	require.NoError(t, api.Update(t.Context(), thief), "the machine was moved")
}

// TestAuthorIsTheUserWhoChangedTheInputs checks that a user cannot hide a change of a machine in the annotations of the manager.
func TestAuthorIsTheUserWhoChangedTheInputs(t *testing.T) {
	ns := namespace(t)
	m := machine(ns)
	require.NoError(t, as(t, ns, "alice").Create(t.Context(), m))
	m.Annotations[infrav1.PinnedInputsAnnotation] = "{}"
	require.NoError(t, api.Update(t.Context(), m))
	assert.Equal(t, "alice", author(m), "the manager wrote the annotation")
	m.Annotations[infrav1.PinnedInputsAnnotation] = `{"disks":[]}`
	require.NoError(t, as(t, ns, "bob").Update(t.Context(), m))
	assert.Equal(t, "bob", author(m))
}

// TestTemplateAuthorStaysKnown_IfTheTemplateIsDeleted checks that the author of a template cannot hide by deleting the template.
func TestTemplateAuthorStaysKnown_IfTheTemplateIsDeleted(t *testing.T) {
	ns := namespace(t)
	template := machineTemplate(ns)
	require.NoError(t, as(t, ns, "alice").Create(t.Context(), template))
	m := machine(ns)
	m.Annotations = map[string]string{
		clusterv1.TemplateClonedFromNameAnnotation:      template.Name,
		clusterv1.TemplateClonedFromGroupKindAnnotation: "NutanixMachineTemplate.infrastructure.cluster.x-k8s.io",
		infrav1.TemplateAuthorAnnotation:                "mallory",
	}
	require.NoError(t, as(t, ns, "capi").Create(t.Context(), m))
	assert.Equal(t, "alice", m.Annotations[infrav1.TemplateAuthorAnnotation])
	require.NoError(t, api.Delete(t.Context(), template))
	delete(m.Annotations, infrav1.TemplateAuthorAnnotation)
	require.NoError(t, as(t, ns, "alice").Update(t.Context(), m))
	assert.Equal(t, "alice", m.Annotations[infrav1.TemplateAuthorAnnotation], "the annotation was removed")

	other := machine(ns)
	other.Name = "other"
	other.Annotations = map[string]string{infrav1.TemplateAuthorAnnotation: "mallory"}
	require.NoError(t, as(t, ns, "alice").Create(t.Context(), other))
	assert.NotContains(t, other.Annotations, infrav1.TemplateAuthorAnnotation, "it was not cloned")
}

func TestMachineIsClonedUntilItsSpecIsChanged(t *testing.T) {
	ns := namespace(t)
	m := machine(ns)
	m.Annotations = map[string]string{
		clusterv1.TemplateClonedFromNameAnnotation:      "t",
		clusterv1.TemplateClonedFromGroupKindAnnotation: "NutanixMachineTemplate.infrastructure.cluster.x-k8s.io",
		infrav1.CreatorAnnotation:                       "mallory",
	}
	require.NoError(t, as(t, ns, "capi").Create(t.Context(), m))
	assert.Equal(t, "capi", m.Annotations[infrav1.CreatorAnnotation], "the client wrote another name")
	assert.Equal(t, "t", m.ClonedFrom())
	m.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "Team", Value: "A"}}
	m.Annotations[infrav1.CreatorAnnotation] = "bob"
	require.NoError(t, as(t, ns, "bob").Update(t.Context(), m))
	assert.Equal(t, "capi", m.Annotations[infrav1.CreatorAnnotation])
	assert.Equal(t, "bob", author(m))
	assert.Empty(t, m.ClonedFrom())
}
