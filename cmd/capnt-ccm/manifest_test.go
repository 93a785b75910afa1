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

// manifests gives what kubectl apply -k config/ccm applies, but for the name of the image.
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

// the gives the one object of a kind that the manifests hold.
func the[T any](t *testing.T, kind string) *T {
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

func TestTheManifestsConfigurationIsGood(t *testing.T) {
	for file, content := range the[corev1.ConfigMap](t, "ConfigMap").Data {
		_, err := config.Parse([]byte(content))
		require.NoError(t, err, file)
	}
}

func TestTheDeploymentFindsWhatItMounts(t *testing.T) {
	pod := the[appsv1.Deployment](t, "Deployment").Spec.Template.Spec
	configMap := the[corev1.ConfigMap](t, "ConfigMap")
	require.Equal(t, configMap.Name, pod.Volumes[0].ConfigMap.Name)
	require.Equal(t, pod.Volumes[0].Name, pod.Containers[0].VolumeMounts[0].Name)
	for key := range configMap.Data {
		require.Contains(t, pod.Containers[0].Args, "--cloud-config="+filepath.Join(pod.Containers[0].VolumeMounts[0].MountPath, key))
	}
	require.Equal(t, the[corev1.ServiceAccount](t, "ServiceAccount").Name, pod.ServiceAccountName)
	parsed, err := config.Parse([]byte(configMap.Data["nutanix_config.json"]))
	require.NoError(t, err)
	example, err := readManifest("secret_example.yaml")
	require.NoError(t, err)
	require.Equal(t, parsed.PrismCentral.CredentialRef.Name, example[0].GetName())
}
