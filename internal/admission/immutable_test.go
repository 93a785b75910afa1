package admission_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestMachineTemplateIsImmutable(t *testing.T) {
	template := machineTemplate(namespace(t))
	require.NoError(t, api.Create(t.Context(), template))

	changed := template.DeepCopy()
	changed.Spec.Template.Spec.MemorySize = resource.MustParse("8Gi")
	assert.ErrorContains(t, api.Update(t.Context(), changed.DeepCopy()), "spec.template.spec: Forbidden: is immutable: create another template")
	assert.ErrorContains(t, api.Update(t.Context(), changed.DeepCopy(), client.DryRunAll), "spec.template.spec: Forbidden", "a dry run of kubectl")

	changed.Annotations = map[string]string{clusterv1.TopologyDryRunAnnotation: ""}
	assert.NoError(t, api.Update(t.Context(), changed.DeepCopy(), client.DryRunAll), "the dry run of the topology controller")
	assert.ErrorContains(t, api.Update(t.Context(), changed.DeepCopy()), "spec.template.spec: Forbidden", "the annotation without a dry run")
	changed.Spec.Template.Spec.MemorySize = resource.MustParse("1Gi")
	assert.ErrorContains(t, api.Update(t.Context(), changed, client.DryRunAll), "spec.template.spec.memorySize", "a dry run is validated, too")

	template.Labels = map[string]string{"team": "a"}
	template.Spec.Template.Spec.MemorySize = resource.MustParse("4096Mi")
	assert.NoError(t, api.Update(t.Context(), template), "labels, and the same size in other units")
}

func TestClusterTemplateIsImmutable(t *testing.T) {
	template := clusterTemplate(namespace(t))
	require.NoError(t, api.Create(t.Context(), template))

	changed := template.DeepCopy()
	changed.Spec.Template.Spec.PrismCentral.Address = "other.example.com"
	assert.ErrorContains(t, api.Update(t.Context(), changed.DeepCopy()), "spec.template.spec: Forbidden: is immutable: create another template")
	changed.Annotations = map[string]string{clusterv1.TopologyDryRunAnnotation: ""}
	assert.NoError(t, api.Update(t.Context(), changed, client.DryRunAll), "the dry run of the topology controller")
}

// TestMachineImmutability checks that fields can be changed until the VM exists, but not afterwards.
func TestMachineImmutability(t *testing.T) {
	m := machine(namespace(t))
	m.Spec.ProviderID = "nutanix://c-m1"
	require.NoError(t, api.Create(t.Context(), m))
	m.Spec.Image = ptr.To(byName("right-image"))
	require.NoError(t, api.Update(t.Context(), m))

	m.Status.VMUUID = uuid
	require.NoError(t, api.Status().Update(t.Context(), m))
	changed := m.DeepCopy()
	changed.Spec.Image = ptr.To(byName("another-image"))
	assert.ErrorContains(t, api.Update(t.Context(), changed), "spec.image: Forbidden: is immutable once the VM exists")

	m.Spec.ProviderID = "nutanix://" + uuid
	m.Spec.Categories = []infrav1.NutanixCategoryIdentifier{{Key: "Team", Value: "A"}}
	require.NoError(t, api.Update(t.Context(), m))
	m.Spec.ProviderID = ""
	assert.ErrorContains(t, api.Update(t.Context(), m), "spec.providerID: Invalid value")
}

// TestChangesWithoutEffectCauseWarnings checks that an edit of a pinned input causes a warning, because such an edit does not change the
// VM.
func TestChangesWithoutEffectCauseWarnings(t *testing.T) {
	m := machine(namespace(t))
	require.NoError(t, api.Create(t.Context(), m))
	image := &corev1.ObjectReference{Kind: infrav1.NutanixMachineBootstrapRefKindImage, Name: "iso"}
	warnings.messages = nil
	m.Spec.BootstrapRef = image
	require.NoError(t, api.Update(t.Context(), m))
	assert.Empty(t, warnings.messages, "there is no VM yet")
	m.Status.VMUUID = uuid
	require.NoError(t, api.Status().Update(t.Context(), m))
	m.Spec.BootstrapRef = nil
	require.NoError(t, api.Update(t.Context(), m))
	require.Len(t, warnings.messages, 1)
	assert.Contains(t, warnings.messages[0], "spec.bootstrapRef: the change has no effect")
	warnings.messages = nil
	m.Spec.BootstrapRef = &corev1.ObjectReference{Kind: infrav1.NutanixMachineBootstrapRefKindSecret, Name: "data"}
	require.NoError(t, api.Update(t.Context(), m))
	assert.Empty(t, warnings.messages, "a Secret is never read")

	c := cluster(namespace(t))
	c.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{
		{Name: "fd-1", Cluster: byName("pe-1"), Subnets: []infrav1.NutanixResourceIdentifier{byName("n1")}, ControlPlane: true},
		{Name: "fd-2", Cluster: byName("pe-2"), Subnets: []infrav1.NutanixResourceIdentifier{byName("n2")}},
	}
	require.NoError(t, api.Create(t.Context(), c))
	warnings.messages = nil
	c.Spec.FailureDomains[0].ControlPlane = false
	require.NoError(t, api.Update(t.Context(), c))
	assert.Empty(t, warnings.messages, "no failure domain was moved")
	c.Spec.FailureDomains[1].Cluster = byName("pe-3")
	require.NoError(t, api.Update(t.Context(), c))
	c.Spec.FailureDomains = c.Spec.FailureDomains[1:]
	require.NoError(t, api.Update(t.Context(), c))
	require.Len(t, warnings.messages, 2)
	assert.Contains(t, warnings.messages[0], "the change of fd-2 counts for new machines")
	assert.Contains(t, warnings.messages[1], "the change of fd-1 counts for new machines")
}

func TestClusterUpdates(t *testing.T) {
	c := cluster(namespace(t))
	c.Spec.ControlPlaneEndpoint = infrav1.APIEndpoint{}
	require.NoError(t, api.Create(t.Context(), c))
	c.Spec.ControlPlaneEndpoint = infrav1.APIEndpoint{Host: "10.0.0.1", Port: 6443}
	require.NoError(t, api.Update(t.Context(), c), "an endpoint may be set later")

	for name, endpoint := range map[string]infrav1.APIEndpoint{"changed": {Host: "10.0.0.2", Port: 6443}, "removed": {}} {
		changed := c.DeepCopy()
		changed.Spec.ControlPlaneEndpoint = endpoint
		assert.ErrorContains(t, api.Update(t.Context(), changed), "spec.controlPlaneEndpoint: Forbidden: cannot change once set: restore 10.0.0.1:6443", name)
	}

	c.Status.Initialization.Provisioned = ptr.To(true)
	require.NoError(t, api.Status().Update(t.Context(), c))
	warnings.messages = nil
	c.Spec.PrismCentral.Address = "10.9.9.9"
	require.NoError(t, api.Update(t.Context(), c), "the address of Prism Central may change")
	require.Len(t, warnings.messages, 1)
	assert.Contains(t, warnings.messages[0], "spec.prismCentral.address: 10.9.9.9 must be the same Prism Central as prism.example.com")
}

func TestFailureDomainIsImmutable(t *testing.T) {
	d := failureDomain(namespace(t))
	require.NoError(t, api.Create(t.Context(), d))
	element, subnets := d.DeepCopy(), d.DeepCopy()
	element.Spec.PrismElementCluster = byName("pe-2")
	assert.ErrorContains(t, api.Update(t.Context(), element), "prismElementCluster is immutable")
	subnets.Spec.Subnets = append(subnets.Spec.Subnets, byName("n2"))
	assert.ErrorContains(t, api.Update(t.Context(), subnets), "subnets is immutable")
}

// TestDeletionIsNeverRefused checks that the finalizer of an object can be removed even if its spec is invalid.
func TestDeletionIsNeverRefused(t *testing.T) {
	m := machine(namespace(t))
	controllerutil.AddFinalizer(m, infrav1.NutanixMachineFinalizer)
	m.Spec.ProviderID = "nutanix://" + uuid
	require.NoError(t, api.Create(t.Context(), m))
	require.NoError(t, api.Delete(t.Context(), m))
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(m), m))
	m.Spec.MemorySize = resource.MustParse("1Gi")
	controllerutil.RemoveFinalizer(m, infrav1.NutanixMachineFinalizer)
	require.NoError(t, api.Update(t.Context(), m))
	assert.Error(t, api.Get(t.Context(), client.ObjectKeyFromObject(m), m))
}
