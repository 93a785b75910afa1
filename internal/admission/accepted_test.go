package admission_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// TestManifestsApply applies the manifests twice without changes, with strict field validation.
func TestManifestsApply(t *testing.T) {
	files, err := filepath.Glob("testdata/accepted/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ns := namespace(t)
			for _, object := range manifests(t, file) {
				object.SetNamespace(ns)
				if ref := field(object.Object, "spec", "prismCentral", "credentialRef"); ref["namespace"] != nil {
					ref["namespace"] = ns
				}
				for range 2 {
					applied := object.DeepCopy()
					err := api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("test"), client.ForceOwnership)
					require.NoError(t, err, "%s %s", object.GetKind(), object.GetName())
				}
			}
		})
	}
}

// field returns the map at the path names in object, or nil if it does not exist.
func field(object map[string]any, names ...string) map[string]any {
	for _, name := range names {
		object, _ = object[name].(map[string]any)
	}
	return object
}

func TestUnknownFieldIsRefused(t *testing.T) {
	object := manifests(t, "testdata/accepted/my-nutanix-cluster.yaml")[0]
	object.SetNamespace(namespace(t))
	field(object.Object, "spec", "prismCentral")["hostName"] = "typo"
	assert.ErrorContains(t, api.Create(t.Context(), object), `unknown field "spec.prismCentral.hostName"`)
}

func TestDefaulting(t *testing.T) {
	ns := namespace(t)
	c := cluster(ns)
	c.Spec.PrismCentral.Port = 0
	require.NoError(t, api.Create(t.Context(), c))
	assert.Equal(t, infrav1.DefaultPrismPort, c.Spec.PrismCentral.Port)
	assert.Empty(t, c.Spec.PrismCentral.CredentialRef.Namespace)

	m := machine(ns)
	m.Spec.Image, m.Spec.ImageLookup = nil, &infrav1.NutanixImageLookup{BaseOS: "ubuntu"}
	m.Spec.DataDisks = []infrav1.NutanixMachineVMDisk{{DiskSize: m.Spec.SystemDiskSize}}
	require.NoError(t, api.Create(t.Context(), m))
	assert.Equal(t, infrav1.DefaultImageLookupFormat, ptr.Deref(m.Spec.ImageLookup.Format, ""))
	require.NotNil(t, m.Spec.DataDisks[0].DeviceProperties)
	assert.Equal(t, infrav1.NutanixMachineDiskAdapterTypeSCSI, m.Spec.DataDisks[0].DeviceProperties.AdapterType)

	object := manifests(t, "testdata/accepted/object-model.yaml")[0]
	object.SetNamespace(ns)
	delete(field(object.Object, "spec", "prismCentral", "credentialRef"), "namespace")
	require.NoError(t, api.Create(t.Context(), object))
	stored := &infrav1.NutanixCluster{}
	require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
	assert.True(t, stored.Spec.FailureDomains[0].ControlPlane, "a failure domain is for the control plane by default")
}

// TestPlaceholderImage checks that a template without an image name is accepted with a warning.
func TestPlaceholderImage(t *testing.T) {
	template := machineTemplate(namespace(t))
	template.Spec.Template.Spec.Image.Name = nil
	warnings.messages = nil
	require.NoError(t, api.Create(t.Context(), template))
	assert.True(t, template.HasPlaceholderImage())
	require.Len(t, warnings.messages, 1)
	assert.Contains(t, warnings.messages[0], "spec.template.spec.image: names no image")
}

// TestTrustBundleOfAnotherNamespace checks that a trust bundle in another namespace is accepted with a warning.
func TestTrustBundleOfAnotherNamespace(t *testing.T) {
	c := cluster(namespace(t))
	c.Spec.PrismCentral.AdditionalTrustBundle = &infrav1.NutanixTrustBundleReference{Kind: infrav1.NutanixTrustBundleKindConfigMap, Name: "ca", Namespace: c.Namespace}
	warnings.messages = nil
	require.NoError(t, api.Create(t.Context(), c))
	assert.Empty(t, warnings.messages)
	c.Spec.PrismCentral.AdditionalTrustBundle.Namespace = "shared"
	require.NoError(t, api.Update(t.Context(), c))
	require.Len(t, warnings.messages, 1)
	assert.Contains(t, warnings.messages[0], "ConfigMap shared/ca is only read")
}

// TestColumns checks the columns that `kubectl get` prints for each kind.
func TestColumns(t *testing.T) {
	ns := namespace(t)
	c := cluster(ns)
	c.Labels = map[string]string{"cluster.x-k8s.io/cluster-name": "my-cluster"}
	m := machine(ns)
	m.Labels = map[string]string{"cluster.x-k8s.io/cluster-name": "my-cluster"}
	m.Spec.ProviderID = "nutanix://0a1b2c3d-4e5f-6789-abcd-ef0123456789"
	failureDomain := failureDomain(ns)
	for _, object := range []client.Object{c, m, machineTemplate(ns), clusterTemplate(ns), failureDomain} {
		require.NoError(t, api.Create(t.Context(), object))
	}
	m.Status.Conditions = []metav1.Condition{{Type: infrav1.ReadyCondition, Status: metav1.ConditionFalse, Reason: infrav1.ImageNotFoundReason, LastTransitionTime: metav1.Now()}}
	m.Status.FailureDomain = "fd-1"
	m.Status.Addresses = []clusterv1.MachineAddress{
		{Type: clusterv1.MachineHostName, Address: "my-cluster-abcde"}, {Type: clusterv1.MachineInternalIP, Address: "10.0.0.7"}, {Type: clusterv1.MachineInternalIP, Address: "fd00::7"},
	}
	require.NoError(t, api.Status().Update(t.Context(), m))
	c.Status.Conditions = []metav1.Condition{{Type: infrav1.ReadyCondition, Status: metav1.ConditionFalse, Reason: infrav1.CertificateInvalidReason, LastTransitionTime: metav1.Now()}}
	require.NoError(t, api.Status().Update(t.Context(), c))

	for resource, want := range map[string]map[string]any{
		"nutanixclusters": {"Name": "c", "Cluster": "my-cluster", "Ready": "False", "Reason": "CertificateInvalid", "Endpoint": "10.0.0.100", "Prism": "prism.example.com"},
		"nutanixmachines": {"Name": "m", "Cluster": "my-cluster", "Ready": "False", "Reason": "ImageNotFound",
			"Address":    "10.0.0.7",
			"ProviderID": m.Spec.ProviderID, "FailureDomain": "fd-1"},
		"nutanixmachinetemplates": {"Name": "t", "Sockets": int64(2), "vCPUs/Socket": int64(1), "Memory": "4Gi", "Disk": "40Gi", "Image": "ubuntu"},
		"nutanixclustertemplates": {"Name": "t", "Prism": "prism.example.com"},
		"nutanixfailuredomains":   {"Name": "fd", "PrismElement": "pe-1", "Subnet": "vm-network"},
	} {
		t.Run(resource, func(t *testing.T) {
			row := printedRow(t, ns, resource)
			for column, value := range want {
				assert.EqualValues(t, value, row[column], "column %s", column)
			}
			assert.Contains(t, row, "Age")
		})
	}
}

// printedRow lists a resource as a table, as kubectl does. It returns the cells of the only row by column name.
func printedRow(t *testing.T, ns, resource string) map[string]any {
	t.Helper()
	tables := rest.CopyConfig(server)
	tables.GroupVersion, tables.APIPath = &infrav1.GroupVersion, "/apis"
	tables.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	tables.AcceptContentTypes = "application/json;as=Table;v=v1;g=meta.k8s.io"
	restClient, err := rest.RESTClientFor(tables)
	require.NoError(t, err)
	content, err := restClient.Get().Namespace(ns).Resource(resource).DoRaw(t.Context())
	require.NoError(t, err)
	table := metav1.Table{}
	require.NoError(t, json.Unmarshal(content, &table))
	require.Len(t, table.Rows, 1)
	row := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		row[column.Name] = table.Rows[0].Cells[i]
	}
	return row
}
