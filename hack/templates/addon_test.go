package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// carried gives what the ClusterResourceSets of a template apply in the workload cluster, as the controller of Cluster API reads
// it: every key of a ConfigMap or Secret, in the order of their names.
func carried(t *testing.T, text []byte) []client.Object {
	t.Helper()
	objects := parse(t, text)
	labels := find[*clusterv1.Cluster](t, objects, "blue").Labels
	var found []client.Object
	for _, object := range objects {
		set, ok := object.(*addonsv1.ClusterResourceSet)
		if !ok {
			continue
		}
		for label, value := range set.Spec.ClusterSelector.MatchLabels {
			assert.Equal(t, value, labels[label], "the label that selects the Cluster")
		}
		for _, resource := range set.Spec.Resources {
			content := contentOf(t, objects, resource)
			for _, key := range slices.Sorted(maps.Keys(content)) {
				found = append(found, parse(t, []byte(content[key]))...)
			}
		}
	}
	return found
}

func contentOf(t *testing.T, objects []client.Object, resource addonsv1.ResourceRef) map[string]string {
	t.Helper()
	if resource.Kind == string(addonsv1.ConfigMapClusterResourceSetResourceKind) {
		return find[*corev1.ConfigMap](t, objects, resource.Name).Data
	}
	secret := find[*corev1.Secret](t, objects, resource.Name)
	assert.Equal(t, addonsv1.ClusterResourceSetSecretType, secret.Type)
	return secret.StringData
}

func TestTheConfigurationOfTheTemplatesIsGood(t *testing.T) {
	for name, values := range map[string]map[string]string{
		"as documented":                required(),
		"with certificates":            with("NUTANIX_ADDITIONAL_TRUST_BUNDLE", "Y2VydGlmaWNhdGVz"),
		"with an empty bundle":         with("NUTANIX_ADDITIONAL_TRUST_BUNDLE", ""),
		"with a port":                  with("NUTANIX_PORT", "443"),
		"without checking certificate": with("NUTANIX_INSECURE", "true"),
		"with labels":                  with("CCM_CUSTOM_LABEL", "true"),
	} {
		t.Run(name, func(t *testing.T) {
			objects := carried(t, process(t, "ccm", values))
			parsed, err := config.Parse([]byte(find[*corev1.ConfigMap](t, objects, "nutanix-config").Data["nutanix_config.json"]))
			require.NoError(t, err)
			assert.Equal(t, "prism.example.com", parsed.PrismCentral.Address)
			assert.Equal(t, "blue", parsed.ClusterName)
			assert.Equal(t, "10.0.0.10", parsed.ControlPlaneEndpoint)
			assert.Equal(t, values["CCM_CUSTOM_LABEL"] == "true", parsed.EnableCustomLabeling)
			find[*corev1.Secret](t, objects, parsed.PrismCentral.CredentialRef.Name)
			bundle := find[*corev1.ConfigMap](t, objects, parsed.PrismCentral.AdditionalTrustBundle.Name)
			assert.Equal(t, values["NUTANIX_ADDITIONAL_TRUST_BUNDLE"] != "", string(bundle.BinaryData["ca.crt"]) == "certificates")
		})
	}
}

// credentials are the three forms in which a template with all addons has the password.
type credentials struct{ provisioner, ccm, csi string }

func credentialsOf(t *testing.T, text []byte) (c credentials, err error) {
	t.Helper()
	provisioner := find[*corev1.Secret](t, parse(t, text), "blue").StringData["credentials"]
	if c.provisioner, err = passwordIn(provisioner); err != nil {
		return c, err
	}
	objects := carried(t, text)
	if c.ccm, err = passwordIn(find[*corev1.Secret](t, objects, "nutanix-creds").StringData["credentials"]); err != nil {
		return c, err
	}
	c.csi = strings.TrimPrefix(find[*corev1.Secret](t, objects, "ntnx-pc-secret").StringData["key"], "prism.example.com:9440:admin:")
	return c, nil
}

func passwordIn(list string) (string, error) {
	var entries []struct {
		Data struct {
			PrismCentral struct{ Password string }
		}
	}
	err := json.Unmarshal([]byte(list), &entries)
	if err != nil {
		return "", err
	}
	return entries[0].Data.PrismCentral.Password, nil
}

func TestPasswordsArriveAsTheyAre(t *testing.T) {
	for _, password := range []string{
		"hunter2", "with space", " at both ends ", "a'b", "$HOME", "${HOME}", "$$", "a:b", "a: b", "a #b", "%d{{.x}}", "ümläut", "&*!|>@`", "-", "{}[]", "true", "0123",
	} {
		got, err := credentialsOf(t, process(t, "csi", with("NUTANIX_PASSWORD", password)))
		require.NoError(t, err, password)
		assert.Equal(t, credentials{password, password, password}, got)
	}
}

func TestAPasswordThatIsEscapedAsTheDocumentSaysArrives(t *testing.T) {
	for _, password := range []string{`a"b`, `DOMAIN\user`, `\"`, `ends with \`, "tab\there", `\n`, "<&>"} {
		quoted, err := json.Marshal(password)
		require.NoError(t, err)
		got, err := credentialsOf(t, process(t, "csi", with("NUTANIX_PASSWORD", string(quoted[1:len(quoted)-1]))))
		require.NoError(t, err, password)
		assert.Equal(t, credentials{password, password, password}, got)
	}
}

func TestAQuoteWithoutBackslashIsNoCredential(t *testing.T) {
	for _, password := range []string{`a"b`, `"`, `a\`, `a\d`} {
		_, err := credentialsOf(t, process(t, "ccm", with("NUTANIX_PASSWORD", password)))
		require.Error(t, err, password)
	}
}

func TestClusterctlGeneratesFromTheFile(t *testing.T) {
	home := t.TempDir()
	command := exec.CommandContext(t.Context(), toolbox.Path(t, "bin/clusterctl"), "generate", "cluster", "blue", "--from", fileOf("csi"),
		"--target-namespace", "tenants", "--kubernetes-version", "v1.36.3", "--control-plane-machine-count", "3", "--worker-machine-count", "2")
	command.Env = []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home, "CLUSTERCTL_DISABLE_VERSIONCHECK=true"}
	for name, value := range required() {
		if name != "CLUSTER_NAME" && name != "NAMESPACE" && name != "KUBERNETES_VERSION" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	text, err := command.Output()
	require.NoError(t, err)
	workers := find[*clusterv1.MachineDeployment](t, parse(t, text), "blue-workers")
	assert.Equal(t, int32(2), *workers.Spec.Replicas)
	find[*corev1.Secret](t, carried(t, text), "ntnx-pc-secret")
}

func TestAnAPIServerTakesWhatTheClusterResourceSetsCarry(t *testing.T) {
	api := startAPI(t)
	for name, values := range map[string]map[string]string{
		"as documented": required(), "with certificates": with("NUTANIX_ADDITIONAL_TRUST_BUNDLE", "Y2VydGlmaWNhdGVz"),
	} {
		t.Run(name, func(t *testing.T) {
			objects := carried(t, process(t, "csi", values))
			objects = append(objects, parse(t, read(t, filepath.Join(root, "config/csi/storage_class_example.yaml")))...)
			for _, object := range objects {
				if namespace, ok := object.(*corev1.Namespace); ok {
					require.NoError(t, client.IgnoreAlreadyExists(api.Create(t.Context(), namespace.DeepCopy())))
				}
			}
			for _, object := range objects {
				assert.NoError(t, dryRun(t.Context(), api, object), "%T %s", object, object.GetName())
			}
		})
	}
}

// dryRun applies an object as it is written, without keeping it.
func dryRun(ctx context.Context, api client.Client, object client.Object) error {
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	applied := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, applied); err != nil {
		return err
	}
	unstructured.RemoveNestedField(applied.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(applied.Object, "status")
	return api.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied), client.DryRunAll, client.FieldOwner("test"), client.ForceOwnership)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func startAPI(t *testing.T) client.Client {
	t.Helper()
	api, err := client.New(apiserver.For(t, apiserver.Options{}).Config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	return client.WithFieldValidation(api, metav1.FieldValidationStrict)
}
