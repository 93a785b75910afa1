package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// An object follows its own record. A new machine follows its cluster.
func TestAPIOfAnObject(t *testing.T) {
	const v3, v4 = renderer.API(""), renderer.APIV4
	annotated := func(api, key string) metav1.ObjectMeta {
		annotations := map[string]string{}
		if api != "" {
			annotations[infrav1.PrismAPIAnnotation] = api
		}
		if key != "" {
			annotations[infrav1.WorkspaceKeyAnnotation] = key
		}
		return metav1.ObjectMeta{Annotations: annotations}
	}
	migrating := func(api, to string) metav1.ObjectMeta {
		meta := annotated(api, "k")
		meta.Annotations[infrav1.PrismAPIMigrationAnnotation] = to
		return meta
	}
	for name, test := range map[string]struct {
		cluster, machine metav1.ObjectMeta
		want             renderer.API
	}{
		"a new machine of a v4 cluster":       {annotated("v4", "k"), annotated("", ""), v4},
		"a new machine of a v3 cluster":       {annotated("v3", "k"), annotated("", ""), v3},
		"a new machine of a v0.1.0 cluster":   {annotated("", "k"), annotated("", ""), v3},
		"a v0.1.0 machine of a v4 cluster":    {annotated("v4", "k"), annotated("", "k"), v3},
		"a v3 machine of a v4 cluster":        {annotated("v4", "k"), annotated("v3", "k"), v3},
		"a v4 machine of a v3 cluster":        {annotated("v3", "k"), annotated("v4", "k"), v4},
		"a new machine of an external v4 one": {annotated("v4", ""), annotated("", ""), v4},
		"a new machine on the way to v4":      {migrating("v3", "v4"), annotated("", ""), v3},
		"a new machine on the way to v3":      {migrating("v4", "v3"), annotated("", ""), v3},
	} {
		assert.Equal(t, test.want, APIFor(&infrav1.NutanixCluster{ObjectMeta: test.cluster}, &infrav1.NutanixMachine{ObjectMeta: test.machine}), name)
	}
}

// The API is written with the key. An object of v0.1.0, which has a key and no API, keeps v3.
func TestAPIIsRecordedOnce(t *testing.T) {
	const kind = "NutanixMachine"
	for chosen, want := range map[renderer.API]string{renderer.APIV4: "v4", renderer.APIV3: "v3", "": "v3"} {
		d, api := dependencies(t, machine())
		object := machine()
		require.NoError(t, d.EnsureWorkspaceKey(t.Context(), kind, object, chosen, "2.4.2"))
		require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), object))
		assert.Equal(t, want, object.Annotations[infrav1.PrismAPIAnnotation])
		for _, other := range []renderer.API{renderer.APIV4, renderer.APIV3} {
			require.NoError(t, d.EnsureWorkspaceKey(t.Context(), kind, object, other, "2.4.3"))
			assert.Equal(t, want, object.Annotations[infrav1.PrismAPIAnnotation], "the key was there")
		}
	}
	old := machine(func(m *infrav1.NutanixMachine) {
		m.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "uid-0"}
	})
	d, _ := dependencies(t, old)
	require.NoError(t, d.EnsureWorkspaceKey(t.Context(), kind, old, renderer.APIV4, "2.4.2"))
	assert.NotContains(t, old.Annotations, infrav1.PrismAPIAnnotation)
	assert.Equal(t, renderer.API(""), RecordedAPI(old))
}

func TestWithAPIDoesNotChangeTheCluster(t *testing.T) {
	cluster := &infrav1.NutanixCluster{}
	assert.Equal(t, renderer.APIV4, RecordedAPI(WithAPI(cluster, renderer.APIV4)))
	assert.Empty(t, cluster.Annotations)
	cluster.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "k"}
	assert.Equal(t, renderer.API(""), RecordedAPI(WithAPI(cluster, renderer.APIV4)), "Terraform has run through v3")
}

// TestPrismElementsOfACluster checks which of three Prism Elements decide about the API.
func TestPrismElementsOfACluster(t *testing.T) {
	all := []string{"pe-1", "pe-2", "pe-3"}
	named := func(name string) infrav1.NutanixResourceIdentifier {
		return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name}
	}
	template := func(element string, change func(*infrav1.NutanixMachineTemplate)) client.Object {
		made := &infrav1.NutanixMachineTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "t-" + element}}
		made.Spec.Template.Spec.Cluster = named(element)
		change(made)
		return made
	}
	owned := func(kind, name string) func(*infrav1.NutanixMachineTemplate) {
		return func(t *infrav1.NutanixMachineTemplate) {
			t.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name}}
		}
	}
	labelled := func(name string) func(*infrav1.NutanixMachineTemplate) {
		return func(t *infrav1.NutanixMachineTemplate) {
			t.Labels = map[string]string{clusterv1.ClusterNameLabel: name}
		}
	}
	domain := func(name, element string) client.Object {
		return &infrav1.NutanixFailureDomain{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name},
			Spec: infrav1.NutanixFailureDomainSpec{PrismElementCluster: named(element)}}
	}
	workers := func(cluster, domain string) client.Object {
		made := &clusterv1.MachineDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "md"}, Spec: clusterv1.MachineDeploymentSpec{ClusterName: cluster}}
		made.Spec.Template.Spec.FailureDomain = domain
		return made
	}
	for name, test := range map[string]struct {
		domains []string // spec.controlPlaneFailureDomains
		inline  []string // the Prism Elements of spec.failureDomains
		objects []client.Object
		want    []string
	}{
		"none is named":              {want: all},
		"inline failure domains":     {inline: []string{"pe-1", "pe-2"}, want: []string{"pe-1", "pe-2"}},
		"in another case":            {inline: []string{"PE-2"}, want: []string{"pe-2"}},
		"failure domains":            {domains: []string{"fd"}, objects: []client.Object{domain("fd", "pe-3")}, want: []string{"pe-3"}},
		"a missing failure domain":   {domains: []string{"fd", "gone"}, objects: []client.Object{domain("fd", "pe-3")}, want: all},
		"unknown Prism Element":      {inline: []string{"pe-1", "pe-9"}, want: all},
		"template with label":        {objects: []client.Object{template("pe-1", labelled("c"))}, want: []string{"pe-1"}},
		"template with owner":        {objects: []client.Object{template("pe-1", owned("Cluster", "c"))}, want: []string{"pe-1"}},
		"template without owner yet": {objects: []client.Object{template("pe-1", func(*infrav1.NutanixMachineTemplate) {})}, want: []string{"pe-1"}},
		"templates of others": {
			objects: []client.Object{template("pe-1", owned("Cluster", "c")), template("pe-2", labelled("d")), template("pe-3", owned("ClusterClass", "class"))},
			want:    []string{"pe-1"},
		},
		"template in a failure domain": {
			domains: []string{"fd"}, want: []string{"pe-2"}, objects: []client.Object{domain("fd", "pe-2"),
				template("none", func(t *infrav1.NutanixMachineTemplate) {
					t.Spec.Template.Spec.Cluster = infrav1.NutanixResourceIdentifier{}
				})},
		},
		"workers in a failure domain": {
			inline: []string{"pe-1"}, want: []string{"pe-1", "pe-3"}, objects: []client.Object{domain("fd", "pe-3"), workers("c", "fd")},
		},
		"workers in an inline failure domain": {inline: []string{"pe-1"}, want: []string{"pe-1"}, objects: []client.Object{workers("c", "domain-pe-1")}},
		"workers of another cluster":          {inline: []string{"pe-1"}, want: []string{"pe-1"}, objects: []client.Object{domain("fd", "pe-3"), workers("d", "fd")}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := &infrav1.NutanixCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "c"}}
			for _, element := range test.inline {
				cluster.Spec.FailureDomains = append(cluster.Spec.FailureDomains, infrav1.NutanixFailureDomainConfig{Name: "domain-" + element, Cluster: named(element)})
			}
			for _, name := range test.domains {
				cluster.Spec.ControlPlaneFailureDomains = append(cluster.Spec.ControlPlaneFailureDomains, corev1.LocalObjectReference{Name: name})
			}
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, infrav1.AddToScheme, clusterv1.AddToScheme} {
				require.NoError(t, add(scheme))
			}
			d := &Dependencies{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(test.objects...).Build()}
			found, err := d.usedElements(t.Context(), cluster, "c", elements("7.5", "7.5", "6.10"))
			require.NoError(t, err)
			var names []string
			for _, element := range found {
				names = append(names, element.Name)
			}
			assert.Equal(t, test.want, names)
		})
	}
}
