package nutanixmachinetemplate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func newTemplate(name string) *infrav1.NutanixMachineTemplate {
	template := &infrav1.NutanixMachineTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	template.Spec.Template.Spec = infrav1.NutanixMachineSpec{VCPUSockets: 2, VCPUsPerSocket: 2, MemorySize: resource.MustParse("4Gi")}
	return template
}

func ownedBy(cluster *clusterv1.Cluster, template *infrav1.NutanixMachineTemplate) *infrav1.NutanixMachineTemplate {
	template.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: clusterv1.GroupVersion.String(), Kind: clusterv1.ClusterKind, Name: cluster.Name, UID: cluster.UID,
	}}
	return template
}

func newClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, infrav1.AddToScheme(scheme))
	require.NoError(t, clusterv1.AddToScheme(scheme))
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&infrav1.NutanixMachineTemplate{}).Build()
}

// settle reconciles until the template no longer changes.
func settle(t *testing.T, reconciler *Reconciler, template *infrav1.NutanixMachineTemplate) {
	t.Helper()
	for version := ""; version != template.ResourceVersion; {
		version = template.ResourceVersion
		_, err := reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(template)})
		require.NoError(t, err)
		require.NoError(t, reconciler.Client.Get(t.Context(), client.ObjectKeyFromObject(template), template))
	}
}

func TestReconcile(t *testing.T) {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c"}}
	pausedCluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "paused"}}
	pausedCluster.Spec.Paused = new(true)
	annotated := newTemplate("t")
	annotated.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}

	for name, tc := range map[string]struct {
		template *infrav1.NutanixMachineTemplate
		paused   bool
	}{
		"of a ClusterClass":              {template: newTemplate("t")},
		"of a cluster":                   {template: ownedBy(cluster, newTemplate("t"))},
		"of a cluster that is gone":      {template: ownedBy(&clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "gone"}}, newTemplate("t"))},
		"of a paused cluster":            {template: ownedBy(pausedCluster, newTemplate("t")), paused: true},
		"with the annotation for paused": {template: annotated, paused: true},
	} {
		t.Run(name, func(t *testing.T) {
			template := tc.template
			settle(t, &Reconciler{Client: newClient(t, cluster, pausedCluster, template)}, template)

			assert.Equal(t, tc.paused, conditions.IsTrue(template, infrav1.PausedCondition))
			if tc.paused {
				assert.Empty(t, template.Status.Capacity)
				return
			}
			assert.Equal(t, "4", template.Status.Capacity.Cpu().String())
			assert.Equal(t, "4Gi", template.Status.Capacity.Memory().String())
			assert.Equal(t, infrav1.NutanixMachineNodeInfo{Architecture: "amd64", OperatingSystem: "linux"}, template.Status.NodeInfo)
		})
	}
}

func TestDeletedTemplateIsIgnored(t *testing.T) {
	result, err := (&Reconciler{Client: newClient(t)}).Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "gone"}})
	require.NoError(t, err)
	assert.Zero(t, result)
}

func TestTemplatesOfCluster(t *testing.T) {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c"}}
	labelled := ownedBy(cluster, newTemplate("labelled"))
	labelled.Labels = map[string]string{clusterv1.WatchLabel: "mine"}
	scripted := newClient(t, labelled, ownedBy(cluster, newTemplate("unlabelled")), newTemplate("unowned"))

	for filter, want := range map[string][]string{"": {"labelled", "unlabelled"}, "mine": {"labelled"}} {
		var got []string
		for _, request := range (&Reconciler{Client: scripted, WatchFilterValue: filter}).templatesOfCluster(t.Context(), cluster) {
			got = append(got, request.Name)
		}
		assert.ElementsMatch(t, want, got, "watch filter %q", filter)
	}
}
