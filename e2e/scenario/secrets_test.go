package scenario

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// secretsStayInside searches everything that others may read for the password of Prism Central and for pieces of
// bootstrap data: our objects, all events, the logs, and the manager's metrics.
func secretsStayInside(t *testing.T) {
	t.Helper()
	secrets := append([]string{password}, bootstrapSecrets(t)...)
	for place, text := range readable(t) {
		for _, secret := range secrets {
			assert.False(t, leaks(text, secret), "a secret is in %s", place)
		}
	}
	say(t, "no secret in objects, events, logs and metrics (searched for %d)", len(secrets))
}

// leaks says whether a text has a secret, as it is or within something in base64: user data, and user:password of basic auth.
func leaks(text, secret string) bool {
	for _, form := range append(encodings(secret), secret) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// encodings are what base64 makes of a secret in the midst of something longer, which depends on how many bytes are before it. The
// characters at both ends, which are made of what is around it too, are left out.
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

func TestSecretsAreFoundInBase64(t *testing.T) {
	for _, around := range []string{"", "a", "ab", "admin:", "Authorization"} {
		for _, after := range []string{"", "\n", "\n-----", "z\n-"} {
			text := base64.StdEncoding.EncodeToString([]byte(around + password + after))
			assert.True(t, leaks("user_data = "+text, password), text)
			assert.False(t, leaks(text, "another-secret"), text)
		}
	}
	assert.True(t, leaks("it is "+password, password))
}

// bootstrapSecrets are lines of private keys from bootstrap data, long enough to be found nowhere by accident.
func bootstrapSecrets(t *testing.T) []string {
	t.Helper()
	list := &corev1.SecretList{}
	require.NoError(t, world.Env.Client.List(t.Context(), list))
	var found []string
	for _, secret := range list.Items {
		value := string(secret.Data["value"])
		if secret.Type != "cluster.x-k8s.io/secret" || !strings.Contains(value, "PRIVATE KEY") {
			continue
		}
		_, key, _ := strings.Cut(value, "PRIVATE KEY-----\n")
		lines := strings.Split(strings.TrimSpace(key), "\n")
		require.Greater(t, len(lines), 1)
		found = append(found, strings.TrimSpace(lines[1]))
	}
	require.NotEmpty(t, found, "no bootstrap data with a private key was found to search for")
	return found
}

// readable is everything that others than the manager may read, by where it is.
func readable(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{"the metrics": metrics(t)}
	for _, path := range append(world.Guests.ProgramLogs(), world.Env.ManagerLog()) {
		log, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // of a cluster of another scenario, which is gone
		}
		require.NoError(t, err)
		texts["the log "+path] = string(log)
	}
	for _, kind := range []string{"NutanixCluster", "NutanixClusterTemplate", "NutanixMachine", "NutanixMachineTemplate", "NutanixFailureDomain"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(infrav1.GroupVersion.WithKind(kind + "List"))
		require.NoError(t, world.Env.Client.List(t.Context(), list))
		for _, item := range list.Items {
			text, err := yaml.Marshal(item.Object)
			require.NoError(t, err)
			texts[kind+" "+item.GetName()] = string(text)
		}
	}
	events := &eventsv1.EventList{}
	require.NoError(t, world.Env.Client.List(t.Context(), events))
	for _, event := range events.Items {
		texts["event "+event.Name] = event.Note
	}
	return texts
}

// metrics are those of the manager, among them one of each kind of ours.
func metrics(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+diagnostics+"/metrics", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "capnt_", "no metrics of ours were found to search in")
	return string(text)
}
