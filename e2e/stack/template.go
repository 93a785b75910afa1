package stack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/capnt/capnt/e2e/env"
)

// FromTemplate returns the manifest that clusterctl generates from the cluster template of a flavor, for example "ccm".
// Variables that have no default get values that match the simulated Prism Central. The values in variables override
// all other values.
func (s *Stack) FromTemplate(ctx context.Context, flavor, namespace, name string, variables map[string]string) ([]*unstructured.Unstructured, error) {
	set, err := s.templateVariables(namespace, name)
	if err != nil {
		return nil, err
	}
	maps.Copy(set, variables)
	command := exec.CommandContext(ctx, s.Tool("bin/clusterctl"), "generate", "cluster", name, "--target-namespace", namespace,
		"--from", filepath.Join(s.options.Repository, "config/templates", "cluster-template-"+flavor+".yaml"))
	for variable, value := range set {
		command.Env = append(command.Env, variable+"="+value)
	}
	command.Env = append(command.Env, "HOME="+s.options.Dir, "XDG_CONFIG_HOME="+s.options.Dir, "CLUSTERCTL_DISABLE_VERSIONCHECK=true")
	var complaints strings.Builder
	command.Stderr = &complaints
	manifest, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("making cluster %s from template %s: %w: %s", name, flavor, err, strings.TrimSpace(complaints.String()))
	}
	return env.ParseManifest(manifest)
}

// templateVariables returns values for the template variables that have no default. The values are taken from the
// inventory of the simulated Prism Central.
func (s *Stack) templateVariables(namespace, name string) (map[string]string, error) {
	prism, err := s.prismAddress()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"CONTROL_PLANE_ENDPOINT_IP": s.endpoint(kindCluster + "/" + namespace + "/" + name),
		"NUTANIX_ENDPOINT":          prism.host, "NUTANIX_PORT": fmt.Sprint(prism.port),
		"NUTANIX_USER": escape(s.options.Credentials.Username), "NUTANIX_PASSWORD": escape(s.options.Credentials.Password),
		"NUTANIX_ADDITIONAL_TRUST_BUNDLE":     base64.StdEncoding.EncodeToString(s.Prism.CABundle()),
		"NUTANIX_PRISM_ELEMENT_CLUSTER_NAME":  "nutanix-cluster-1",
		"NUTANIX_SUBNET_NAME":                 "vm-network",
		"NUTANIX_MACHINE_TEMPLATE_IMAGE_NAME": "ubuntu-22.04-kube-v1.36.3",
		"NUTANIX_SSH_AUTHORIZED_KEY":          "ssh-ed25519 AAAA somebody",
		"KUBERNETES_VERSION":                  "v1.36.3",
	}, nil
}

// escape escapes a string so that it can be inserted between double quotes in JSON and YAML, where templates insert the
// user name and the password.
func escape(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // json.Marshal cannot fail for a string
	}
	return string(quoted[1 : len(quoted)-1])
}

// WithCCM adds the cloud controller manager to each cluster of a manifest. It adds the ClusterResourceSet of the
// cluster template "ccm", the objects that the ClusterResourceSet applies, and the label with which it selects the
// Cluster.
func (s *Stack) WithCCM(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	all := slices.Clone(objects)
	for _, object := range objects {
		if object.GetKind() != "Cluster" {
			continue
		}
		template, err := s.FromTemplate(ctx, "ccm", object.GetNamespace(), object.GetName(), nil)
		if err != nil {
			return nil, fmt.Errorf("installing capnt-ccm: %w", err)
		}
		for _, added := range template {
			switch {
			case added.GetKind() == "Cluster":
				labels := added.GetLabels()
				maps.Copy(labels, object.GetLabels())
				object.SetLabels(labels)
			case strings.HasSuffix(added.GetName(), ccmAddon):
				all = append(all, added)
			}
		}
	}
	return all, nil
}

// ccmAddon and csiAddon are the name suffixes of the objects with which cluster templates install an addon.
const (
	ccmAddon = "-ccm"
	csiAddon = "-csi"
)
