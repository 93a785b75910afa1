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
)

const (
	directory = "config/templates"
	header    = "# Written by hack/templates from the parts in config/templates/parts and the manifests in config: make generate.\n"
)

// root is the root of the repository, where the command runs.
var root = "."

var (
	ccm = addon{
		name: "ccm", manifests: "config/ccm",
		replaced: map[string]string{"config_map.yaml": "ccm-config.yaml"},
		added:    []string{"ccm-trust-bundle.yaml"}, secrets: []string{"ccm-credentials.yaml"},
	}
	csi = addon{name: "csi", manifests: "config/csi", secrets: []string{"csi-credentials.yaml"}}
	// flavors are the templates by the name that clusterctl gives them; the one without a name is the default.
	flavors = map[string][]addon{"": nil, "ccm": {ccm}, "csi": {ccm, csi}}
)

func main() {
	for flavor, addons := range flavors {
		if err := write(flavor, addons); err != nil {
			fmt.Fprintln(os.Stderr, "templates:", err)
			os.Exit(1)
		}
	}
}

func write(flavor string, addons []addon) error {
	text, err := render(addons)
	if err != nil {
		return err
	}
	return os.WriteFile(fileOf(flavor), []byte(text), 0o644)
}

// fileOf gives where clusterctl looks for a flavor.
func fileOf(flavor string) string {
	if flavor != "" {
		flavor = "-" + flavor
	}
	return filepath.Join(root, directory, "cluster-template"+flavor+".yaml")
}

// render gives the template of a cluster with addons.
func render(addons []addon) (string, error) {
	cluster, err := part("cluster.yaml")
	if err != nil {
		return "", err
	}
	labels := "labels:"
	documents := []string{""}
	for _, a := range addons {
		labels += fmt.Sprintf("\n    %s: ${CLUSTER_NAME}", a.name)
		more, err := a.documents()
		if err != nil {
			return "", fmt.Errorf("adding %s: %w", a.name, err)
		}
		documents = append(documents, more...)
	}
	if len(addons) == 0 {
		labels = "labels: {}"
	}
	documents[0] = strings.Replace(cluster, "labels: {}", labels, 1)
	return header + strings.Join(documents, "---\n"), nil
}

func part(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, directory, "parts", name))
	if err != nil {
		return "", fmt.Errorf("reading a part: %w", err)
	}
	return string(content), nil
}
