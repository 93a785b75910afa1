package scenario

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// assertNoSecretLeaks requires that neither the Prism Central password nor private keys and tokens from bootstrap data occur in anything that
// users other than the manager can read: all objects except the Secrets that have to contain them, logs, the audit trail, and metrics.
func assertNoSecretLeaks(t *testing.T) {
	t.Helper()
	secrets := append(bootstrapSecrets(t), password)
	assert.Empty(t, placesOf(publicTexts(t), secrets...), "a secret is in these places")
	logf(t, "found none of %d secrets in objects, states, events, logs, the audit trail and metrics", len(secrets))
}

// placesOf returns the keys of the texts that contain one of the secrets, sorted.
func placesOf(texts map[string]string, secrets ...string) []string {
	var places []string
	for place, text := range texts {
		if slices.ContainsFunc(secrets, func(secret string) bool { return containsSecret(text, secret) }) {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	return places
}

// joinToken matches the bootstrap tokens with which nodes join a cluster.
var joinToken = regexp.MustCompile(`token: ([a-z0-9]{6}\.[a-z0-9]{16})\b`)

// privateKey matches the lines of a private key. Lines in bootstrap data are indented.
var privateKey = regexp.MustCompile(`PRIVATE KEY-----\n([A-Za-z0-9+/=\s]+)-----END`)

// clusterSecret is the type of the Secrets of Cluster API: bootstrap data, certificate authorities and kubeconfigs.
const clusterSecret = "cluster.x-k8s.io/secret"

// bootstrapSecrets returns one line of each private key in bootstrap data and of the certificate authorities of the clusters, and the bootstrap
// tokens. A line is so long that it does not occur in other text by chance. The lines at the beginning of a key are not secret: they are a part
// of the certificate, too.
func bootstrapSecrets(t *testing.T) []string {
	t.Helper()
	list := &corev1.SecretList{}
	require.NoError(t, testStack.Env.Client.List(t.Context(), list))
	keys, tokens := map[string]bool{}, map[string]bool{}
	for _, secret := range list.Items {
		if secret.Type != clusterSecret {
			continue
		}
		value := string(secret.Data["value"])
		if token := joinToken.FindStringSubmatch(value); token != nil {
			tokens[token[1]] = true
		}
		for _, key := range privateKey.FindAllStringSubmatch(value+"\n"+string(secret.Data["tls.key"]), -1) {
			lines := strings.Fields(key[1])
			require.Greater(t, len(lines), 1)
			keys[lines[len(lines)/2]] = true
		}
	}
	require.NotEmpty(t, keys, "no bootstrap data contains a private key")
	require.NotEmpty(t, tokens, "no bootstrap data contains a bootstrap token")
	var found []string
	for _, secrets := range []map[string]bool{keys, tokens} {
		for secret := range secrets {
			found = append(found, secret)
		}
	}
	return found
}

// mayContainSecrets reports whether a Secret has to contain the secrets for which others are searched.
func mayContainSecrets(secret corev1.Secret) bool {
	_, isPlanFile := secret.Labels[infrav1.PlanFileLabel]
	_, isCredential := secret.Data[infrav1.NutanixCredentialKey]
	return isPlanFile || isCredential || secret.Type == clusterSecret || secret.Type == "addons.cluster.x-k8s.io/resource-set"
}

// publicTexts returns everything that users other than the manager can read, and the Terraform states. Each key of the map describes where
// the text was found.
func publicTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{"the metrics": metrics(t)}
	addLogs(t, texts)
	addObjects(t, texts)
	list := &corev1.SecretList{}
	require.NoError(t, testStack.Env.Client.List(t.Context(), list))
	for _, secret := range list.Items {
		if mayContainSecrets(secret) {
			continue
		}
		for entry, value := range secret.Data {
			texts["Secret "+secret.Namespace+"/"+secret.Name+" "+entry] = string(value) + "\n" + inflated(value)
		}
	}
	return texts
}

// auditLog is the file to which the manager appends the audit trail.
const auditLog = "audit.log"

// addLogs adds the logs of all processes and the audit trail. A log may be removed at any time, because clusters of other scenarios are
// deleted.
func addLogs(t *testing.T, texts map[string]string) {
	t.Helper()
	root := testStack.Options().Dir
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".log" {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		texts["the log "+strings.TrimPrefix(path, root)] = string(content)
		return err
	}))
	require.Contains(t, texts, "the log /"+auditLog)
}

// addObjects adds all objects of the API server except Secrets.
func addObjects(t *testing.T, texts map[string]string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", testStack.Env.Kubeconfig())
	require.NoError(t, err)
	found, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	resources, err := found.ServerPreferredResources()
	require.NoError(t, err)
	for _, group := range resources {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		require.NoError(t, err)
		for _, resource := range group.APIResources {
			if !slices.Contains(resource.Verbs, "list") || resource.Name == "secrets" {
				continue
			}
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(version.WithKind(resource.Kind + "List"))
			err := testStack.Env.Client.List(t.Context(), list)
			if apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
				continue
			}
			require.NoError(t, err, resource.Name)
			for _, item := range list.Items {
				texts[resource.Kind+" "+item.GetNamespace()+"/"+item.GetName()] = textOf(t, item)
			}
		}
	}
}

// textOf returns an object as JSON, without the token that Cluster API itself writes into a KubeadmConfig.
func textOf(t *testing.T, object unstructured.Unstructured) string {
	t.Helper()
	if object.GetKind() == "KubeadmConfig" {
		unstructured.RemoveNestedField(object.Object, "spec", "joinConfiguration", "discovery", "bootstrapToken", "token")
	}
	text, err := object.MarshalJSON()
	require.NoError(t, err)
	return string(text)
}

// metrics returns the manager's metrics page.
func metrics(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+diagnostics+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "capnt_", "the page contains no CAPNT metrics")
	return string(text)
}
