package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// addon is what one ClusterResourceSet brings into a workload cluster.
type addon struct {
	// name is that of the ClusterResourceSet, after the cluster's, and the key of the label that selects the Cluster.
	name string
	// manifests is a kustomization's directory, whose resources are taken. A variable <NAME>_IMAGE stands for each of its
	// images, with the image of the kustomization as default.
	manifests string
	// replaced are resources of it for which parts stand, because they have values of the cluster.
	replaced map[string]string
	// added are further parts; secrets go into a Secret.
	added, secrets []string
}

// documents are the ClusterResourceSet and the objects that hold what it applies.
func (a addon) documents() ([]string, error) {
	files, err := a.files()
	if err != nil {
		return nil, err
	}
	var secrets []file
	for _, name := range a.secrets {
		text, err := part(name)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, file{name, text})
	}
	return []string{
		a.head("addons.cluster.x-k8s.io/v1beta2", "ClusterResourceSet") + fmt.Sprintf(`spec:
  # What is changed here is changed in the cluster too.
  strategy: Reconcile
  clusterSelector:
    matchLabels:
      %[1]s: ${CLUSTER_NAME}
  resources:
  - kind: ConfigMap
    name: ${CLUSTER_NAME}-%[1]s
  - kind: Secret
    name: ${CLUSTER_NAME}-%[1]s
`, a.name),
		a.head("v1", "ConfigMap") + "data:\n" + blocks(files),
		a.head("v1", "Secret") + "type: addons.cluster.x-k8s.io/resource-set\nstringData:\n" + blocks(secrets),
	}, nil
}

func (a addon) head(version, kind string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  name: ${CLUSTER_NAME}-%s\n  namespace: ${NAMESPACE}\n", version, kind, a.name)
}

type file struct{ name, text string }

// kustomization is what is needed of a kustomization.yaml.
type kustomization struct {
	Resources []string
	Images    []image
}

type image struct{ Name, NewName, NewTag string }

// files are the resources of the kustomization in its order, then what is added.
func (a addon) files() ([]file, error) {
	content, err := os.ReadFile(filepath.Join(root, a.manifests, "kustomization.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the manifests: %w", err)
	}
	var k kustomization
	if err := yaml.Unmarshal(content, &k); err != nil {
		return nil, fmt.Errorf("reading the kustomization: %w", err)
	}
	var files []file
	for _, name := range k.Resources {
		text, err := a.read(name, k.Images)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, text})
	}
	for _, name := range a.added {
		text, err := part(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, text})
	}
	return files, nil
}

func (a addon) read(name string, images []image) (string, error) {
	if replacement, ok := a.replaced[name]; ok {
		return part(replacement)
	}
	content, err := os.ReadFile(filepath.Join(root, a.manifests, name))
	if err != nil {
		return "", fmt.Errorf("reading the manifests: %w", err)
	}
	text := string(content)
	for _, i := range images {
		text = strings.ReplaceAll(text, "image: "+i.Name+"\n", "image: "+i.variable()+"\n")
	}
	return text, nil
}

// variable gives ${NAME_IMAGE:=default}.
func (i image) variable() string {
	return fmt.Sprintf("${%s_IMAGE:=%s:%s}", strings.ToUpper(strings.ReplaceAll(i.Name, "-", "_")), i.NewName, i.NewTag)
}

// blocks writes files as the literal blocks of a map.
func blocks(files []file) string {
	var text strings.Builder
	for _, f := range files {
		fmt.Fprintf(&text, "  %s: |\n", f.name)
		for line := range strings.Lines(f.text) {
			if strings.TrimSpace(line) != "" {
				text.WriteString("    ")
			}
			text.WriteString(line)
		}
	}
	return text.String()
}
