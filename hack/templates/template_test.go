package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	bootstrapv1 "sigs.k8s.io/cluster-api/api/bootstrap/kubeadm/v1beta2"
	controlplanev1 "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/cmd/clusterctl/client/yamlprocessor"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// scheme knows every kind that the templates have.
var scheme = runtime.NewScheme()

func TestMain(m *testing.M) {
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1.AddToScheme, controlplanev1.AddToScheme, bootstrapv1.AddToScheme,
		addonsv1.AddToScheme, infrav1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	root = "../.." // and no other working directory: go test caches results by the files that tests open
	os.Exit(m.Run())
}

func TestTemplatesAreWrittenFromTheirParts(t *testing.T) {
	for flavor, addons := range flavors {
		want, err := render(addons)
		require.NoError(t, err)
		got, err := os.ReadFile(fileOf(flavor))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), "run make generate")
	}
}

// required are values of all variables without a default.
func required() map[string]string {
	return map[string]string{
		"CLUSTER_NAME": "blue", "NAMESPACE": "tenants", "KUBERNETES_VERSION": "v1.36.3", "CONTROL_PLANE_ENDPOINT_IP": "10.0.0.10",
		"NUTANIX_ENDPOINT": "prism.example.com", "NUTANIX_USER": "admin", "NUTANIX_PASSWORD": "hunter2",
		"NUTANIX_SSH_AUTHORIZED_KEY":         "ssh-ed25519 AAAA me@here",
		"NUTANIX_PRISM_ELEMENT_CLUSTER_NAME": "pe", "NUTANIX_SUBNET_NAME": "nodes", "NUTANIX_MACHINE_TEMPLATE_IMAGE_NAME": "ubuntu",
	}
}

// with gives the required values with others.
func with(name, value string) map[string]string {
	values := required()
	values[name] = value
	return values
}

// process does what clusterctl does with a template.
func process(t *testing.T, flavor string, values map[string]string) []byte {
	t.Helper()
	template, err := os.ReadFile(fileOf(flavor))
	require.NoError(t, err)
	text, err := yamlprocessor.NewSimpleProcessor().Process(template, func(name string) (string, error) {
		if value, ok := values[name]; ok {
			return value, nil
		}
		return "", fmt.Errorf("variable %s is not set", name)
	})
	require.NoError(t, err)
	return text
}

// parse reads documents; a field that their kind does not have is an error.
func parse(t *testing.T, text []byte) []client.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var objects []client.Object
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		object, _, err := decoder.Decode(document, nil, nil)
		require.NoError(t, err, string(document))
		objects = append(objects, object.(client.Object))
	}
}

// find gives the one object of a type and a name.
func find[T client.Object](t *testing.T, objects []client.Object, name string) T {
	t.Helper()
	var found []T
	for _, object := range objects {
		if typed, ok := object.(T); ok && object.GetName() == name {
			found = append(found, typed)
		}
	}
	require.Len(t, found, 1, "objects named %s", name)
	return found[0]
}

func TestEveryDocumentHasOnlyFieldsOfItsKind(t *testing.T) {
	for flavor := range flavors {
		t.Run("flavor "+flavor, func(t *testing.T) {
			objects := parse(t, process(t, flavor, required()))
			assert.Len(t, objects, 9+3*len(flavors[flavor]))
			for _, object := range objects {
				assert.Equal(t, "tenants", object.GetNamespace(), object.GetName())
				assert.True(t, strings.HasPrefix(object.GetName(), "blue"), object.GetName())
			}
			endpoint := find[*infrav1.NutanixCluster](t, objects, "blue").Spec.ControlPlaneEndpoint
			assert.Equal(t, "10.0.0.10:6443", fmt.Sprintf("%s:%d", endpoint.Host, endpoint.Port))
		})
	}
}

func TestAVariableThatIsNotSetIsNamed(t *testing.T) {
	for name := range required() {
		values := maps.Clone(required())
		delete(values, name)
		template, err := os.ReadFile(fileOf("csi"))
		require.NoError(t, err)
		_, err = yamlprocessor.NewSimpleProcessor().Process(template, func(name string) (string, error) {
			if value, ok := values[name]; ok {
				return value, nil
			}
			return "", errors.New("not set")
		})
		assert.ErrorContains(t, err, name)
	}
}

// row is a row of the table of variables.
type row struct{ fallback, templates string }

func TestEveryVariableIsInTheTableOfTheDocument(t *testing.T) {
	want := map[string]row{}
	for _, flavor := range []struct{ name, in string }{{"csi", "csi"}, {"ccm", "ccm, csi"}, {"", "all"}} { // each has what follows
		template, err := os.ReadFile(fileOf(flavor.name))
		require.NoError(t, err)
		variables, err := yamlprocessor.NewSimpleProcessor().GetVariableMap(template)
		require.NoError(t, err)
		for name, fallback := range variables {
			want[name] = row{cell(fallback), flavor.in}
		}
	}
	content, err := os.ReadFile(filepath.Join(root, "docs/templates.md"))
	require.NoError(t, err)
	got := map[string]row{}
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(line, "|")
		if len(cells) == 6 && strings.HasPrefix(cells[1], " `") && strings.ToUpper(cells[1]) == cells[1] {
			got[strings.Trim(cells[1], " `")] = row{strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])}
		}
	}
	assert.Equal(t, want, got)
}

func cell(fallback *string) string {
	if fallback == nil {
		return ""
	}
	return "`" + *fallback + "`"
}
