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

// scraperToken gives the token of somebody who may read metrics, like a Prometheus.
func scraperToken(w *world) string {
	w.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "scraper"}}
	w.create(account)
	w.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "scraper"}, Rules: []rbacv1.PolicyRule{
		{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}},
	}})
	w.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "scraper"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "scraper"}},
	})
	clients, err := kubernetes.NewForConfig(cluster)
	require.NoError(w.t, err)
	token, err := clients.CoreV1().ServiceAccounts("default").CreateToken(w.t.Context(), "scraper", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(w.t, err)
	return token.Status.Token
}

// unexercised are rights that a short run has no reason to use.
var unexercised = []string{
	"events patch", // when an Event repeats
	// Where an API server cannot begin a watch with a list.
	"nodes list", "services list", "secrets list", "configmaps list",
}

// compareRights compares what the service account asked for with what the manifests grant. A request is in the log when it has
// ended, which for a watch is when the API server notices that the client is gone.
func compareRights(t *testing.T) {
	t.Helper()
	rights := granted(t)
	var refused []string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var used map[string]bool
		used, refused = asked(c)
		for _, right := range rights {
			if !slices.Contains(unexercised, right) {
				assert.True(c, used[right], "the manifests grant what nothing uses: %s", right)
			}
		}
	}, deadline, tick)
	assert.Empty(t, refused, "the manifests do not grant what is needed")
}

// asked gives what the service account asked for, and what of that was refused.
func asked(c *assert.CollectT) (used map[string]bool, refused []string) {
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

// audited reads the log, whose last line may be half written.
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

// granted gives "resource verb" of every right in the manifests.
func granted(t *testing.T) []string {
	t.Helper()
	objects, err := manifests()
	require.NoError(t, err)
	var rights []string
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		role := &rbacv1.Role{} // a ClusterRole has the same rules
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
