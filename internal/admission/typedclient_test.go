package admission_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func capxByName(name string) capxIdentifier { return capxIdentifier{Type: "name", Name: ptr.To(name)} }

// typed returns the type metadata and object metadata for an object of a kind in the namespace ns.
func typed(kind, ns string) (metav1.TypeMeta, metav1.ObjectMeta) {
	return metav1.TypeMeta{APIVersion: infrav1.GroupVersion.String(), Kind: kind}, metav1.ObjectMeta{Namespace: ns, Name: "typed-" + strings.ToLower(kind)}
}

// leastMachineSpec returns a spec with only the required fields.
func leastMachineSpec() capxMachineSpec {
	return capxMachineSpec{
		VCPUsPerSocket: 1, VCPUSockets: 2, MemorySize: resource.MustParse("4Gi"), SystemDiskSize: resource.MustParse("40Gi"),
		Image: ptr.To(capxByName("ubuntu")),
	}
}

// nestedMachineSpec returns a spec that sets every optional field whose type contains optional fields. The inner optional fields have
// their zero values.
func nestedMachineSpec() capxMachineSpec {
	spec := leastMachineSpec()
	spec.Image, spec.ImageLookup = nil, &capxImageLookup{BaseOS: "ubuntu"}
	spec.Cluster, spec.Subnets, spec.Project = capxByName("pe"), []capxIdentifier{capxByName("net")}, ptr.To(capxByName("project"))
	spec.AdditionalCategories = []capxCategory{{Key: "Team", Value: "A"}}
	spec.DataDisks = []capxDataDisk{
		{DiskSize: resource.MustParse("1Gi")},
		{DiskSize: resource.MustParse("1Gi"), DeviceProperties: &capxDeviceProperties{AdapterType: "SCSI"}, StorageConfig: &capxStorageConfig{}},
	}
	spec.BootstrapRef = &corev1.ObjectReference{}
	spec.GPUs = []capxGPU{{Type: "name", Name: ptr.To("T4")}, {Type: "deviceID", DeviceID: ptr.To[int64](7864)}}
	return spec
}

// leastClusterSpec returns a spec with only the required fields.
func leastClusterSpec() capxClusterSpec {
	return capxClusterSpec{PrismCentral: &capxPrismCentral{
		Address: "prism.example.com", CredentialRef: &capxCredentialReference{Kind: "Secret", Name: "credentials"},
	}}
}

// nestedClusterSpec returns a spec that sets every optional field whose type contains optional fields.
func nestedClusterSpec() capxClusterSpec {
	spec := leastClusterSpec()
	spec.PrismCentral.AdditionalTrustBundle = &capxTrustBundle{Kind: "ConfigMap", Name: "ca"}
	spec.FailureDomains = []capxFailureDomainConfig{{Name: "fd", Cluster: capxByName("pe"), Subnets: []capxIdentifier{capxByName("net")}}}
	return spec
}

// capxObjects returns one object of each kind, as typed clients write it.
func capxObjects(ns string) map[string]any {
	objects := map[string]any{}
	for name, spec := range map[string]capxMachineSpec{"least": leastMachineSpec(), "nested": nestedMachineSpec()} {
		machine := &capxMachine{Spec: spec}
		machine.TypeMeta, machine.ObjectMeta = typed("NutanixMachine", ns)
		objects["machine, "+name] = machine
		template := &capxMachineTemplate{}
		template.Spec.Template.Spec = spec
		template.TypeMeta, template.ObjectMeta = typed("NutanixMachineTemplate", ns)
		objects["machine template, "+name] = template
	}
	for name, spec := range map[string]capxClusterSpec{"least": leastClusterSpec(), "nested": nestedClusterSpec()} {
		cluster := &capxCluster{Spec: spec}
		cluster.TypeMeta, cluster.ObjectMeta = typed("NutanixCluster", ns)
		objects["cluster, "+name] = cluster
		template := &capxClusterTemplate{}
		template.Spec.Template.Spec = spec
		template.TypeMeta, template.ObjectMeta = typed("NutanixClusterTemplate", ns)
		objects["cluster template, "+name] = template
	}
	empty := &capxClusterTemplate{}
	empty.TypeMeta, empty.ObjectMeta = typed("NutanixClusterTemplate", ns)
	objects["cluster template, everything from patches"] = empty
	domain := &capxFailureDomain{}
	domain.TypeMeta, domain.ObjectMeta = typed("NutanixFailureDomain", ns)
	domain.Spec.PrismElementCluster, domain.Spec.Subnets = capxByName("pe"), []capxIdentifier{capxByName("net")}
	objects["failure domain"] = domain
	return objects
}

// asJSON marshals an object as a typed client does.
func asJSON(t *testing.T, object any) *unstructured.Unstructured {
	t.Helper()
	content, err := json.Marshal(object)
	require.NoError(t, err)
	decoded := &unstructured.Unstructured{}
	require.NoError(t, json.Unmarshal(content, &decoded.Object))
	return decoded
}

// omitUnset removes zero values, as omitempty and omitzero do, and structs that contain only zero values.
func omitUnset(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := maps.Clone(value)
		for name, inner := range value {
			if inner = omitUnset(inner); inner == nil {
				delete(kept, name)
			} else {
				kept[name] = inner
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		for i := range value {
			value[i] = omitUnset(value[i])
		}
	case string:
		if value == "" {
			return nil
		}
	case bool:
		if !value {
			return nil
		}
	case float64:
		if value == 0 {
			return nil
		}
	}
	return value
}

// TestTypedClientsOfCAPX creates, applies and updates objects as typed clients write them, with strict field validation.
func TestTypedClientsOfCAPX(t *testing.T) {
	for name := range capxObjects("") {
		for form, marshal := range map[string]func(any) any{
			"zero values written": func(object any) any { return object },
			"zero values omitted": omitUnset,
		} {
			t.Run(name+"/"+form, func(t *testing.T) {
				content, _ := marshal(asJSON(t, capxObjects(namespace(t))[name]).Object).(map[string]any)
				if content["kind"] == "NutanixClusterTemplate" && field(content, "spec", "template", "spec") == nil {
					content["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{}}}
				}
				object := &unstructured.Unstructured{Object: content}
				require.NoError(t, api.Create(t.Context(), object.DeepCopy(), client.DryRunAll))
				for range 2 {
					err := api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("typed"), client.ForceOwnership)
					require.NoError(t, err)
				}
				stored := object.DeepCopy()
				require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
				version := stored.GetResourceVersion()
				updated := object.DeepCopy()
				updated.SetResourceVersion(version)
				updated.SetManagedFields(stored.GetManagedFields())
				require.NoError(t, api.Update(t.Context(), updated))
			})
		}
	}
}

// TestEmptyTemplateMetadata creates templates whose metadata is {}, as typed clients write it.
func TestEmptyTemplateMetadata(t *testing.T) {
	for _, name := range []string{"machine template, least", "cluster template, least"} {
		t.Run(name, func(t *testing.T) {
			object := asJSON(t, capxObjects(namespace(t))[name])
			field(object.Object, "spec", "template")["metadata"] = map[string]any{}
			require.NoError(t, api.Create(t.Context(), object))
		})
	}
}

// endpointForms contains the values that clients write for an unset control plane endpoint.
var endpointForms = map[string]any{
	"absent":             nil,
	"empty object":       map[string]any{},
	"empty host, port 0": map[string]any{"host": "", "port": int64(0)},
	"empty host":         map[string]any{"host": ""},
	"port without host":  map[string]any{"port": int64(6443)},
}

// TestEndpointIsSetOnce creates a NutanixCluster and a NutanixClusterTemplate without an endpoint, in each form that clients use. Then it
// sets the endpoint.
func TestEndpointIsSetOnce(t *testing.T) {
	for kind, path := range map[string][]string{
		"NutanixCluster": {"spec"}, "NutanixClusterTemplate": {"spec", "template", "spec"},
	} {
		for form, endpoint := range endpointForms {
			t.Run(kind+"/"+form, func(t *testing.T) {
				object := endpointFixture(t, kind)
				require.NoError(t, api.Create(t.Context(), withEndpoint(object, path, endpoint)))
				// The test uses an update and not a server-side apply. If {} is applied after {host, port}, the API server sets both fields to null.
				set := func(endpoint any) error {
					stored := object.DeepCopy()
					require.NoError(t, api.Get(t.Context(), client.ObjectKeyFromObject(object), stored))
					return api.Update(t.Context(), withEndpoint(stored, path, endpoint))
				}
				for other, endpoint := range endpointForms {
					require.NoError(t, set(endpoint), "still unset, written as %s", other)
				}
				require.NoError(t, set(map[string]any{"host": "10.0.0.1", "port": int64(6443)}), "set later")
				require.Error(t, set(map[string]any{"host": "10.0.0.2", "port": int64(6443)}), "changed")
				require.Error(t, set(endpoint), "removed")
			})
		}
	}
}

// withEndpoint returns a copy of object whose spec at path contains the endpoint. If endpoint is nil, the copy has no endpoint.
func withEndpoint(object *unstructured.Unstructured, path []string, endpoint any) *unstructured.Unstructured {
	changed := object.DeepCopy()
	spec := field(changed.Object, path...)
	delete(spec, "controlPlaneEndpoint")
	if endpoint != nil {
		spec["controlPlaneEndpoint"] = endpoint
	}
	return changed
}

func endpointFixture(t *testing.T, kind string) *unstructured.Unstructured {
	t.Helper()
	objects := capxObjects(namespace(t))
	name := map[string]string{"NutanixCluster": "cluster, least", "NutanixClusterTemplate": "cluster template, least"}[kind]
	return asJSON(t, objects[name])
}

// TestEmptyImageName checks that an empty image name is rejected in a machine. In a template it is accepted with a warning, because a
// ClusterClass patch may set the name.
func TestEmptyImageName(t *testing.T) {
	for _, image := range []capxIdentifier{{Type: "name"}, {Type: "name", Name: ptr.To("")}, {Type: "uuid"}, {Type: "uuid", UUID: ptr.To("")}} {
		objects := capxObjects(namespace(t))
		template, ok := objects["machine template, least"].(*capxMachineTemplate)
		require.True(t, ok)
		template.Spec.Template.Spec.Image = &image
		warnings.messages = nil
		for range 2 {
			require.NoError(t, api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(asJSON(t, template)), client.FieldOwner("typed"), client.ForceOwnership))
		}
		require.NotEmpty(t, warnings.messages)
		assert.Contains(t, warnings.messages[0], "spec.template.spec.image: names no image")

		machine, ok := objects["machine, least"].(*capxMachine)
		require.True(t, ok)
		machine.Spec.Image = &image
		err := api.Create(t.Context(), asJSON(t, machine))
		assert.ErrorContains(t, err, "spec.image: Invalid value")
		assert.ErrorContains(t, err, "set "+image.Type+" if, and only if, type is "+image.Type)
	}
}
