package scenario

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// assertNoSecretLeaks requires that neither the Prism Central password nor a private key from bootstrap data occurs in
// the Terraform states or in anything that users other than the manager can read: CAPNT's objects, events, logs, and
// metrics.
func assertNoSecretLeaks(t *testing.T) {
	t.Helper()
	secrets := append([]string{password}, bootstrapSecrets(t)...)
	for place, text := range publicTexts(t) {
		for _, secret := range secrets {
			assert.False(t, containsSecret(text, secret), "secret found in %s", place)
		}
	}
	logf(t, "found none of %d secrets in objects, states, events, logs and metrics", len(secrets))
}

// containsSecret reports whether text contains the secret, either in plain text or within a base64-encoded string such
// as user data or a basic auth header.
func containsSecret(text, secret string) bool {
	for _, form := range append(encodings(secret), secret) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// encodings returns the base64 encodings of a secret that is part of a longer string. There are three encodings,
// because the encoding depends on the number of preceding bytes modulo 3. The first and last characters are left out if
// they also encode adjacent bytes.
func encodings(secret string) []string {
	var found []string
	for before, shared := range []int{0, 2, 3} {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		whole := len(encoded)
		if (before+len(secret))%3 != 0 {
			whole--
		}
		found = append(found, encoded[shared:whole])
	}
	return found
}

func TestContainsSecret_InBase64(t *testing.T) {
	for _, around := range []string{"", "a", "ab", "admin:", "Authorization"} {
		for _, after := range []string{"", "\n", "\n-----", "z\n-"} {
			text := base64.StdEncoding.EncodeToString([]byte(around + password + after))
			assert.True(t, containsSecret("user_data = "+text, password), text)
			assert.False(t, containsSecret(text, "another-secret"), text)
		}
	}
	assert.True(t, containsSecret("it is "+password, password))
}

// joinToken matches the bootstrap tokens with which nodes join a cluster.
var joinToken = regexp.MustCompile(`token: ([a-z0-9]{6}\.[a-z0-9]{16})\b`)

// bootstrapSecrets returns one line of each private key in bootstrap data, and the bootstrap tokens. A line is so long that it does not
// occur in other text by chance.
func bootstrapSecrets(t *testing.T) []string {
	t.Helper()
	list := &corev1.SecretList{}
	require.NoError(t, testStack.Env.Client.List(t.Context(), list))
	var found []string
	keys := 0
	for _, secret := range list.Items {
		value := string(secret.Data["value"])
		if secret.Type != "cluster.x-k8s.io/secret" {
			continue
		}
		if token := joinToken.FindStringSubmatch(value); token != nil {
			found = append(found, token[1])
		}
		if !strings.Contains(value, "PRIVATE KEY") {
			continue
		}
		_, key, _ := strings.Cut(value, "PRIVATE KEY-----\n")
		lines := strings.Split(strings.TrimSpace(key), "\n")
		require.Greater(t, len(lines), 1)
		keys++
		found = append(found, strings.TrimSpace(lines[1]))
	}
	require.NotZero(t, keys, "no bootstrap data contains a private key")
	require.Greater(t, len(found), keys, "no bootstrap data contains a bootstrap token")
	return found
}

// publicTexts returns the Terraform states and the strings that users other than the manager can read. Each key of the
// map describes where the string was found.
func publicTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{"the metrics": metrics(t)}
	for _, path := range append(testStack.Guests.ProgramLogs(), testStack.Env.ManagerLog()) {
		log, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the log belonged to a deleted cluster of another scenario
		}
		require.NoError(t, err)
		texts["the log "+path] = string(log)
	}
	for _, kind := range []string{"NutanixCluster", "NutanixClusterTemplate", "NutanixMachine", "NutanixMachineTemplate", "NutanixFailureDomain",
		"NutanixPlan", "NutanixPlanDecision", "NutanixPlanPolicy"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(infrav1.GroupVersion.WithKind(kind + "List"))
		require.NoError(t, testStack.Env.Client.List(t.Context(), list))
		for _, item := range list.Items {
			text, err := yaml.Marshal(item.Object)
			require.NoError(t, err)
			texts[kind+" "+item.GetName()] = string(text)
		}
	}
	for name, state := range states(t) {
		texts["state "+name] = state
	}
	events := &eventsv1.EventList{}
	require.NoError(t, testStack.Env.Client.List(t.Context(), events))
	for _, event := range events.Items {
		texts["event "+event.Name] = event.Note
	}
	return texts
}

// states returns the Terraform states by the name of the Secret that stores the state.
func states(t *testing.T) map[string]string {
	t.Helper()
	list := &corev1.SecretList{}
	require.NoError(t, testStack.Env.Client.List(t.Context(), list, client.MatchingLabels{"tfstate": "true"}))
	found := map[string]string{}
	for _, secret := range list.Items {
		if len(secret.Data["tfstate"]) == 0 {
			continue // the first run has not written a state yet
		}
		reader, err := gzip.NewReader(bytes.NewReader(secret.Data["tfstate"]))
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		found[secret.Name] = string(content)
	}
	return found
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
