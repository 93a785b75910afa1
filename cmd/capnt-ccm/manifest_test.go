package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm/config"
)

const manifestDir = "../../config/ccm"

// manifests returns the objects that kubectl apply -k config/ccm creates. Only the name of the image may differ.
func manifests() ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(filepath.Join(manifestDir, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, file := range kustomization.Resources {
		some, err := readManifest(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		objects = append(objects, some...)
	}
	return objects, nil
}

func readManifest(file string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(filepath.Join(manifestDir, file))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

// objectOf returns the only object of a kind in the manifests.
func objectOf[T any](t *testing.T, kind string) *T {
	t.Helper()
	objects, err := manifests()
	require.NoError(t, err)
	for _, object := range objects {
		if object.GetKind() == kind {
			typed := new(T)
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed))
			return typed
		}
	}
	require.Fail(t, "the manifests hold no such object", kind)
	return nil
}

func TestConfigurationInManifestsIsValid(t *testing.T) {
	for file, content := range objectOf[corev1.ConfigMap](t, "ConfigMap").Data {
		_, err := config.Parse([]byte(content))
		require.NoError(t, err, file)
	}
}

func TestVolumesOfDeploymentExist(t *testing.T) {
	pod := objectOf[appsv1.Deployment](t, "Deployment").Spec.Template.Spec
	configMap := objectOf[corev1.ConfigMap](t, "ConfigMap")
	require.Equal(t, configMap.Name, pod.Volumes[0].ConfigMap.Name)
	require.Equal(t, pod.Volumes[0].Name, pod.Containers[0].VolumeMounts[0].Name)
	for key := range configMap.Data {
		require.Contains(t, pod.Containers[0].Args, "--cloud-config="+filepath.Join(pod.Containers[0].VolumeMounts[0].MountPath, key))
	}
	require.Equal(t, objectOf[corev1.ServiceAccount](t, "ServiceAccount").Name, pod.ServiceAccountName)
	parsed, err := config.Parse([]byte(configMap.Data["nutanix_config.json"]))
	require.NoError(t, err)
	example, err := readManifest("secret_example.yaml")
	require.NoError(t, err)
	require.Equal(t, parsed.PrismCentral.CredentialRef.Name, example[0].GetName())
}
