package scenario

import (
	"os"
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

// eventReasons are the reasons of all events about an object, in no order.
func (c *cluster) eventReasons(name string) []string {
	c.t.Helper()
	list := &eventsv1.EventList{}
	require.NoError(c.t, world.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	var reasons []string
	for _, event := range list.Items {
		if event.Regarding.Name == name {
			reasons = append(reasons, event.Reason)
		}
	}
	return reasons
}

// secretsStayInside searches everything that others may read for the password of Prism Central and for pieces of
// bootstrap data: our objects, all events, and the manager's log.
func secretsStayInside(t *testing.T) {
	t.Helper()
	secrets := append([]string{password}, bootstrapSecrets(t)...)
	for place, text := range readable(t) {
		for _, secret := range secrets {
			assert.NotContains(t, text, secret, "a secret is in %s", place)
		}
	}
	say(t, "no secret in objects, events and logs (searched for %d)", len(secrets))
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
	texts := map[string]string{}
	for _, path := range append(world.Guests.ProgramLogs(), world.Env.ManagerLog()) {
		log, err := os.ReadFile(path)
		require.NoError(t, err)
		texts["the log "+path] = string(log)
	}
	for _, kind := range []string{"NutanixCluster", "NutanixMachine", "NutanixMachineTemplate"} {
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
