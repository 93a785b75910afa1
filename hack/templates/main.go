// Command templates writes the cluster templates of clusterctl from their parts: config/templates/parts, and the manifests
// that a ClusterResourceSet applies in the workload cluster.
//
//	go run ./hack/templates        (in the root of the repository)
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	directory = "config/templates"
	header    = "# Written by hack/templates from the parts in config/templates/parts and the manifests in config: make generate.\n"
)

// addon is what one ClusterResourceSet brings into a workload cluster.
type addon struct {
	// name is that of the ClusterResourceSet, after the cluster's, and the key of the label that selects the Cluster.
	name string
	// manifests is a kustomization's directory, whose resources are taken.
	manifests string
	// replaced are resources of it for which parts stand, because they have values of the cluster; image is the one that the
	// variable ${<NAME>_IMAGE} replaces.
	replaced map[string]string
	image    string
	// added are further parts; secrets go into a Secret.
	added, secrets []string
}

var (
	ccm = addon{
		name: "ccm", manifests: "config/ccm", image: "capnt-ccm",
		replaced: map[string]string{"config_map.yaml": "ccm-config.yaml"},
		added:    []string{"ccm-trust-bundle.yaml"}, secrets: []string{"ccm-credentials.yaml"},
	}
	// flavors are the templates by the end of their file's name.
	flavors = map[string][]addon{"": nil, "-ccm": {ccm}}
)

func main() {
	for flavor, addons := range flavors {
		if err := write(filepath.Join(directory, "cluster-template"+flavor+".yaml"), addons); err != nil {
			fmt.Fprintln(os.Stderr, "templates:", err)
			os.Exit(1)
		}
	}
}

func write(file string, addons []addon) error {
	cluster, err := part("cluster.yaml")
	if err != nil {
		return err
	}
	labels := "labels:"
	documents := []string{""}
	for _, a := range addons {
		labels += fmt.Sprintf("\n    %s: ${CLUSTER_NAME}", a.name)
		more, err := a.documents()
		if err != nil {
			return fmt.Errorf("adding %s: %w", a.name, err)
		}
		documents = append(documents, more...)
	}
	if len(addons) == 0 {
		labels = "labels: {}"
	}
	documents[0] = strings.Replace(cluster, "labels: {}", labels, 1)
	return os.WriteFile(file, []byte(header+strings.Join(documents, "---\n")), 0o644) //nolint:gosec // a template is for everybody
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

// files are the resources of the kustomization in its order.
func (a addon) files() ([]file, error) {
	content, err := os.ReadFile(filepath.Join(a.manifests, "kustomization.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the manifests: %w", err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		return nil, fmt.Errorf("reading the kustomization: %w", err)
	}
	var files []file
	for _, name := range append(kustomization.Resources, a.added...) {
		text, err := a.read(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, text})
	}
	return files, nil
}

func (a addon) read(name string) (string, error) {
	if replacement, ok := a.replaced[name]; ok {
		return part(replacement)
	}
	content, err := os.ReadFile(filepath.Join(a.manifests, name))
	if os.IsNotExist(err) {
		return part(name)
	}
	variable := strings.ToUpper(strings.ReplaceAll(a.image, "-", "_")) + "_IMAGE"
	return strings.ReplaceAll(string(content), "image: "+a.image+"\n", fmt.Sprintf("image: ${%s:=%s:latest}\n", variable, a.image)), err
}

func part(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(directory, "parts", name))
	if err != nil {
		return "", fmt.Errorf("reading a part: %w", err)
	}
	return string(content), nil
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
