package guest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/guest/plane"
)

// mounts contains the paths on this machine at which the files of a Pod are stored.
type mounts struct {
	// paths maps each mount path in the container to a directory on this machine.
	paths map[string]string
	// kubeconfig is the path of a kubeconfig with a ServiceAccount token. It replaces the token file below
	// /var/run/secrets in a real Pod.
	kubeconfig string
}

// mount writes the ConfigMaps and Secrets that the Pods of a Deployment mount, and a kubeconfig for the ServiceAccount
// of the Pods.
func (c *cluster) mount(ctx context.Context, admin client.Client, deployment *appsv1.Deployment, dir string) (mounts, error) {
	pod := deployment.Spec.Template.Spec
	m := mounts{paths: map[string]string{}, kubeconfig: filepath.Join(dir, "kubeconfig")}
	contents := map[string]map[string][]byte{}
	for _, volume := range pod.Volumes {
		content, err := volumeContent(ctx, admin, deployment.Namespace, volume)
		if err != nil {
			return m, fmt.Errorf("mounting volume %s of %s: %w", volume.Name, deployment.Name, err)
		}
		contents[volume.Name] = content
	}
	for _, mounted := range pod.Containers[0].VolumeMounts {
		target := filepath.Join(dir, "volumes", mounted.Name)
		m.paths[mounted.MountPath] = target
		if err := writeVolume(target, contents[mounted.Name]); err != nil {
			return m, fmt.Errorf("mounting volume %s of %s: %w", mounted.Name, deployment.Name, err)
		}
	}
	config, err := c.serviceAccount(ctx, admin, deployment.Namespace, pod.ServiceAccountName)
	if err != nil {
		return m, err
	}
	return m, plane.WriteKubeconfig(config, pod.ServiceAccountName, m.kubeconfig)
}

func volumeContent(ctx context.Context, admin client.Client, namespace string, volume corev1.Volume) (map[string][]byte, error) {
	content := map[string][]byte{}
	switch {
	case volume.ConfigMap != nil:
		var source corev1.ConfigMap
		if err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: volume.ConfigMap.Name}, &source); err != nil {
			return nil, fmt.Errorf("reading ConfigMap %s: %w", volume.ConfigMap.Name, err)
		}
		for name, text := range source.Data {
			content[name] = []byte(text)
		}
		maps.Copy(content, source.BinaryData)
	case volume.Secret != nil:
		var source corev1.Secret
		if err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: volume.Secret.SecretName}, &source); err != nil {
			return nil, fmt.Errorf("reading Secret %s: %w", volume.Secret.SecretName, err)
		}
		maps.Copy(content, source.Data)
	}
	return content, nil
}

func writeVolume(dir string, content map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, data := range content {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// serviceAccount returns a client configuration for a ServiceAccount. It requests a token as a kubelet does.
func (c *cluster) serviceAccount(ctx context.Context, admin client.Client, namespace, name string) (*rest.Config, error) {
	account, request := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, &authenticationv1.TokenRequest{}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("asking for a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return &rest.Config{
		Host: "https://" + c.endpoint, BearerToken: request.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.keys.ca.PEM},
	}, nil
}

// arguments replaces each mount path in the arguments with the directory on this machine.
func (m mounts) arguments(arguments []string) []string {
	for i := range arguments {
		for path, dir := range m.paths {
			arguments[i] = strings.ReplaceAll(arguments[i], path, dir)
		}
	}
	return arguments
}

// environment returns the environment variables of the container. It supports only variables that have a value or refer
// to a field of the Pod.
func environment(container corev1.Container, deployment *appsv1.Deployment) []string {
	var variables []string
	for _, variable := range container.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
			switch from.FieldRef.FieldPath {
			case "metadata.namespace":
				value = deployment.Namespace
			case "metadata.name":
				value = deployment.Name
			case "metadata.uid":
				value = string(deployment.UID)
			}
		}
		variables = append(variables, variable.Name+"="+value)
	}
	return variables
}
