package main

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes"
)

// scraperToken returns the token of a service account that may read metrics, like that of Prometheus.
func scraperToken(f *fixture) string {
	f.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "scraper"}}
	f.create(account)
	f.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "scraper"}, Rules: []rbacv1.PolicyRule{
		{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}},
	}})
	f.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "scraper"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "scraper"}},
	})
	clients, err := kubernetes.NewForConfig(cluster)
	require.NoError(f.t, err)
	token, err := clients.CoreV1().ServiceAccounts("default").CreateToken(f.t.Context(), "scraper", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(f.t, err)
	return token.Status.Token
}

// unexercised are rights that a short run does not need.
var unexercised = []string{
	"events patch", // for an Event that repeats
	// Some API servers do not support watches that start with a list. There, clients list these kinds first.
	"nodes list", "services list", "secrets list", "configmaps list",
}

// compareRights compares the requests of the service account with the rights in the manifests. The audit log contains a request
// once it has ended. A watch ends when the API server notices that the client has disconnected.
func compareRights(t *testing.T) {
	t.Helper()
	rights := granted(t)
	var refused []string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var used map[string]bool
		used, refused = requested(c)
		for _, right := range rights {
			if !slices.Contains(unexercised, right) {
				assert.True(c, used[right], "the manifests grant what nothing uses: %s", right)
			}
		}
	}, deadline, tick)
	assert.Empty(t, refused, "the manifests do not grant what is needed")
}

// requested returns the rights that the requests of the service account needed, and the requests that were refused.
func requested(c *assert.CollectT) (used map[string]bool, refused []string) {
	used = map[string]bool{}
	for _, event := range audited(c) {
		if event.ObjectRef == nil {
			continue
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		used[resource+" "+event.Verb] = true
		if event.Annotations["authorization.k8s.io/decision"] == "forbid" {
			refused = append(refused, resource+" "+event.Verb+" "+event.RequestURI)
		}
	}
	return used, refused
}

// audited returns the events in the audit log. The last line may be incomplete.
func audited(t require.TestingT) []auditv1.Event {
	file, err := os.Open(auditLog)
	require.NoError(t, err)
	defer file.Close()
	var events []auditv1.Event
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		require.NoError(t, json.Unmarshal(lines.Bytes(), &event))
		require.Equal(t, serviceAccount, event.User.Username)
		events = append(events, event)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, events)
	return events
}

// granted returns "resource verb" for every right in the manifests.
func granted(t *testing.T) []string {
	t.Helper()
	objects, err := manifests()
	require.NoError(t, err)
	var rights []string
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		role := &rbacv1.Role{} // a ClusterRole has the same structure
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role))
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights = append(rights, resource+" "+verb)
				}
			}
		}
	}
	require.NotEmpty(t, rights)
	return rights
}
