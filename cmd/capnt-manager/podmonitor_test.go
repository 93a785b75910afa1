package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// podMonitor has the fields of the Prometheus operator's PodMonitor that config/monitoring uses.
type podMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []struct {
			Port          string `json:"port"`
			Path          string `json:"path"`
			Scheme        string `json:"scheme"`
			Authorization struct {
				Type        string                   `json:"type"`
				Credentials corev1.SecretKeySelector `json:"credentials"`
			} `json:"authorization"`
			TLSConfig struct {
				InsecureSkipVerify bool `json:"insecureSkipVerify"`
			} `json:"tlsConfig"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// readManifest decodes the documents of a file in config into objects.
func readManifest(t *testing.T, path string, objects ...any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../config", path))
	require.NoError(t, err)
	documents := strings.Split(string(content), "\n---\n")
	require.Len(t, documents, len(objects), path)
	for i, object := range objects {
		require.NoError(t, yaml.UnmarshalStrict([]byte(documents[i]), object), path)
	}
}

func TestPodMonitorSelectsTheMetricsPortOfTheManager(t *testing.T) {
	var monitor podMonitor
	readManifest(t, "monitoring/pod_monitor.yaml", &monitor)
	var deployment appsv1.Deployment
	readManifest(t, "manager/manager.yaml", &deployment)
	assert.Equal(t, "monitoring.coreos.com/v1, Kind=PodMonitor", monitor.GroupVersionKind().String())
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	require.NoError(t, err)
	assert.False(t, selector.Empty())
	assert.True(t, selector.Matches(labels.Set(deployment.Spec.Template.Labels)), "the PodMonitor selects the pods of the manager")

	require.Len(t, monitor.Spec.PodMetricsEndpoints, 1)
	endpoint, container := monitor.Spec.PodMetricsEndpoints[0], deployment.Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(container.Ports, func(port corev1.ContainerPort) bool { return port.Name == endpoint.Port })
	require.GreaterOrEqual(t, i, 0, "the manager has no port %s", endpoint.Port)
	options, err := parse(container.Args...)
	require.NoError(t, err)
	assert.Equal(t, options.diagnostics.DiagnosticsAddress, fmt.Sprintf(":%d", container.Ports[i].ContainerPort), "the manager serves metrics on the port")
	assert.Equal(t, "/metrics", endpoint.Path)
	assert.False(t, options.diagnostics.InsecureDiagnostics)
	assert.Equal(t, "https", endpoint.Scheme)
	assert.True(t, endpoint.TLSConfig.InsecureSkipVerify, "the certificate of the manager is not signed by a CA")
}

func TestTokenOfThePodMonitorReadsMetricsOnly(t *testing.T) {
	var monitor podMonitor
	readManifest(t, "monitoring/pod_monitor.yaml", &monitor)
	var account corev1.ServiceAccount
	var token corev1.Secret
	var role rbacv1.ClusterRole
	var binding rbacv1.ClusterRoleBinding
	readManifest(t, "monitoring/metrics_reader.yaml", &account, &token, &role, &binding)
	authorization := monitor.Spec.PodMetricsEndpoints[0].Authorization
	assert.Equal(t, "Bearer", authorization.Type)
	assert.Equal(t, token.Name, authorization.Credentials.Name)
	assert.Equal(t, corev1.ServiceAccountTokenKey, authorization.Credentials.Key)
	assert.Equal(t, corev1.SecretTypeServiceAccountToken, token.Type)
	assert.Equal(t, account.Name, token.Annotations[corev1.ServiceAccountNameKey])
	assert.Equal(t, []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}, role.Rules)
	assert.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}, binding.RoleRef)
	assert.Equal(t, []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: "capnt-system"}}, binding.Subjects)
}
