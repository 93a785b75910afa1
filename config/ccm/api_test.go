package ccm

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

func TestAnAPIServerTakesWhatIsRendered(t *testing.T) {
	api := startAPI(t)
	for name, v := range map[string]values{
		"fewest values": plain(), "values of the vendor": vendor(),
		"certificates as they are": plain().and("prismCentralAdditionalTrustBundle", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"everything":               vendor().and("podMonitor", values{"enabled": true, "labels": values{"release": "prometheus"}}).and("extraArgs", []string{"--v=4"}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, object := range render(t, v) {
				if object.GetKind() == "PodMonitor" {
					continue // of the Prometheus operator
				}
				assert.NoError(t, dryRun(t.Context(), api, object), "%s %s", object.GetKind(), object.GetName())
			}
		})
	}
}

func TestThePodMonitorReadsMetricsOnly(t *testing.T) {
	o := render(t, plain().and("podMonitor", values{"enabled": true}))
	monitor := o[slices.IndexFunc(o, func(object *unstructured.Unstructured) bool { return object.GetKind() == "PodMonitor" })]
	endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "podMetricsEndpoints")
	require.NoError(t, err)
	require.Len(t, endpoints, 1)
	endpoint := endpoints[0].(map[string]any)
	port := the[appsv1.Deployment](t, o).Spec.Template.Spec.Containers[0].Ports[0]
	assert.Equal(t, port.Name, endpoint["port"])
	assert.Equal(t, int32(10258), port.ContainerPort)
	token, _, err := unstructured.NestedString(endpoint, "authorization", "credentials", "name")
	require.NoError(t, err)
	assert.Equal(t, token, the[corev1.Secret](t, o).Name)

	account := the[corev1.Secret](t, o).Annotations[corev1.ServiceAccountNameKey]
	roles := all[rbacv1.ClusterRole](t, o)
	for _, binding := range all[rbacv1.ClusterRoleBinding](t, o) {
		if binding.Subjects[0].Name == account {
			role := roles[slices.IndexFunc(roles, func(r rbacv1.ClusterRole) bool { return r.Name == binding.RoleRef.Name })]
			assert.Equal(t, []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}, role.Rules)
			return
		}
	}
	assert.Fail(t, "the account of the token may do nothing", account)
}

// dryRun applies an object without keeping it.
func dryRun(ctx context.Context, api client.Client, object *unstructured.Unstructured) error {
	return api.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.DryRunAll, client.FieldOwner("test"), client.ForceOwnership)
}

func startAPI(t *testing.T) client.Client {
	t.Helper()
	api, err := client.New(apiserver.For(t, apiserver.Options{}).Config, client.Options{})
	require.NoError(t, err)
	return client.WithFieldValidation(api, metav1.FieldValidationStrict)
}
