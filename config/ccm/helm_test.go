// Package ccm tests the Helm chart of the cloud controller manager: with helm, against the manifests beside it, and against an
// API server.
package ccm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/internal/toolbox"
)

// values are those of a release.
type values map[string]any

// plain are the fewest values; the manifests have the same address.
func plain() values {
	return values{"prismCentralEndPoint": "prism-central.example.com", "createSecret": false}
}

// and gives the values with one more.
func (v values) and(name string, value any) values {
	more := values{name: value}
	for known, value := range v {
		if known != name {
			more[known] = value
		}
	}
	return more
}

// helm runs a command of helm in a directory with the chart and gives what it prints; an error has what it complains about.
func helm(t *testing.T, v values, arguments ...string) ([]byte, error) {
	t.Helper()
	home := t.TempDir()
	content, err := yaml.Marshal(v)
	require.NoError(t, err)
	file := filepath.Join(home, "values.yaml")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	command := exec.CommandContext(t.Context(), toolbox.Path(t, "bin/helm"), append(arguments, "--values", file)...)
	command.Env = []string{"HOME=" + home}
	// A copy, because go test caches results by the files that tests open.
	require.NoError(t, os.CopyFS(filepath.Join(home, "chart"), os.DirFS("chart")))
	command.Dir = home
	var complaint bytes.Buffer
	command.Stderr = &complaint
	text, err := command.Output()
	if err != nil {
		return nil, errors.New(complaint.String())
	}
	return text, nil
}

type objects []*unstructured.Unstructured

// render gives the objects of a release in kube-system.
func render(t *testing.T, v values) objects {
	t.Helper()
	text, err := helm(t, v, "template", "capnt-ccm", "chart", "--namespace", "kube-system")
	require.NoError(t, err)
	return parse(t, text)
}

func parse(t *testing.T, text []byte) objects {
	t.Helper()
	var all objects
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

// manifests are what kubectl apply -k applies.
func manifests(t *testing.T) objects {
	t.Helper()
	content, err := os.ReadFile("kustomization.yaml")
	require.NoError(t, err)
	var kustomization struct{ Resources []string }
	require.NoError(t, yaml.Unmarshal(content, &kustomization))
	var all objects
	for _, file := range kustomization.Resources {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, parse(t, content)...)
	}
	return all
}

// all gives the objects of a type.
func all[T any](t *testing.T, o objects) []T {
	t.Helper()
	kind := reflect.TypeFor[T]().Name()
	var found []T
	for _, object := range o {
		if object.GetKind() == kind {
			var typed T
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &typed, true))
			found = append(found, typed)
		}
	}
	return found
}

func the[T any](t *testing.T, o objects) T {
	t.Helper()
	found := all[T](t, o)
	require.Len(t, found, 1)
	return found[0]
}

// granted are the rules of Roles and what RoleBindings and the ClusterRoleBinding refer to, each with its namespace and whom it
// is for.
func granted(t *testing.T, o objects) (rights []string) {
	t.Helper()
	say := func(parts ...any) {
		text, err := json.Marshal(parts)
		require.NoError(t, err)
		rights = append(rights, string(text))
	}
	roles := map[string][]rbacv1.PolicyRule{}
	for _, role := range all[rbacv1.Role](t, o) {
		roles[role.Name] = role.Rules
	}
	for _, binding := range all[rbacv1.RoleBinding](t, o) {
		rules, own := roles[binding.RoleRef.Name]
		for _, rule := range rules {
			say(binding.Namespace, binding.Subjects, rule)
		}
		if !own {
			say(binding.Namespace, binding.Subjects, binding.RoleRef)
		}
	}
	for _, binding := range all[rbacv1.ClusterRoleBinding](t, o) {
		say(binding.Subjects, binding.RoleRef)
	}
	return rights
}

// configuration gives the configuration that is rendered, as the cloud controller manager reads it.
func configuration(t *testing.T, o objects) config.Config {
	t.Helper()
	for _, configMap := range all[corev1.ConfigMap](t, o) {
		if content, ok := configMap.Data["nutanix_config.json"]; ok {
			parsed, err := config.Parse([]byte(content))
			require.NoError(t, err, content)
			return parsed
		}
	}
	require.Fail(t, "there is no configuration")
	return config.Config{}
}

// vendor are values of the vendor's chart, all of them, none at its default.
func vendor() values {
	return values{
		"createConfig": true, "configName": "my-config", "prismCentralEndPoint": "10.0.0.1", "prismCentralPort": 443,
		"prismCentralInsecure": true, "prismCentralAdditionalTrustBundle": "Y2VydGlmaWNhdGVz", "createSecret": true,
		"secretName": "my-creds", "username": `DOMAIN\user`, "password": secretText, "enableCustomLabeling": true,
		"ignoredNodeIPs": []string{"10.0.0.5", "10.0.1.0/24"}, "topologyDiscovery": values{"type": "Categories"},
		"topologyCategories": values{"region": "my-region", "zone": "my-zone"}, "replicas": 3,
		"image":            values{"repository": "example.com/ccm", "tag": "v1", "pullPolicy": "Always"},
		"imagePullSecrets": []values{{"name": "puller"}}, "podAnnotations": values{"a": "b"},
		"extraEnv":        []values{{"name": "LOG_LEVEL", "value": "info"}},
		"resources":       values{"requests": values{"cpu": "100m", "memory": "50Mi"}},
		"tlsCipherSuites": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"nodeSelector":    values{"role": "infra", "node-role.kubernetes.io/control-plane": nil},
		"tolerations":     []values{{"effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 120}},
		"affinity": values{"podAntiAffinity": values{"requiredDuringSchedulingIgnoredDuringExecution": []values{{
			"topologyKey": "kubernetes.io/hostname", "labelSelector": values{"matchLabels": values{"k8s-app": "nutanix-cloud-controller-manager"}},
		}}}},
	}
}

// secretText has what JSON, YAML and templates could stumble upon.
const secretText = `hunter2"\'$: {{ . }}<&>`
