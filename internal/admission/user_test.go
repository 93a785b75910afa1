package admission_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// editors is a group whose members may write all objects of the API group in the namespaces of tests, but may not approve plans.
const editors = "editors"

// as returns a client for a user who may edit all objects in the namespace. The API server treats requests of the client as the user's
// requests. The manager has the user name admin, as api has.
func as(t *testing.T, ns, user string, groups ...string) client.Client {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: editors}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{infrav1.GroupVersion.Group}, Resources: []string{"*"},
		Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
	}}}
	require.NoError(t, client.IgnoreAlreadyExists(api.Create(t.Context(), role)))
	bind(t, ns, "Role", editors, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: editors})
	awaitPermission(t, ns, editors, "create", "nutanixplandecisions")
	config := rest.CopyConfig(server)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{editors}, groups...), UID: "uid-of-" + user}
	c, err := client.New(config, client.Options{Scheme: api.Scheme()})
	require.NoError(t, err)
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// bind binds a role to a subject in a namespace.
func bind(t *testing.T, ns, kind, role string, subject rbacv1.Subject) {
	t.Helper()
	require.NoError(t, client.IgnoreAlreadyExists(api.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects:   []rbacv1.Subject{subject},
	})))
}

// approver returns a client for a user who may edit all objects in the namespace and approve plans. The permission comes from the
// ClusterRole that this project ships, through the group approvers.
func approver(t *testing.T, ns, user string) client.Client {
	t.Helper()
	content, err := os.ReadFile("../../config/rbac/plan_approver_role.yaml")
	require.NoError(t, err)
	role := &rbacv1.ClusterRole{}
	require.NoError(t, yaml.UnmarshalStrict(content, role))
	require.NoError(t, client.IgnoreAlreadyExists(api.Create(t.Context(), role)))
	bind(t, ns, "ClusterRole", role.Name, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "approvers"})
	awaitPermission(t, ns, "approvers", "approve", "nutanixplans")
	return as(t, ns, user, "approvers")
}

// awaitPermission waits until a group has a permission in the namespace, because the API server learns of new bindings from a watch.
func awaitPermission(t *testing.T, ns, group, verb, resource string) {
	t.Helper()
	require.Eventually(t, func() bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{Groups: []string{group},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: ns, Verb: verb, Group: infrav1.GroupVersion.Group, Resource: resource}}}
		return api.Create(t.Context(), review) == nil && review.Status.Allowed
	}, deadline, tick)
}
