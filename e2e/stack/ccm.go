package stack

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cluster-api/cmd/clusterctl/client/yamlprocessor"

	"github.com/capnt/capnt/e2e/env"
)

const (
	ccmTemplate = "config/templates/cluster-template-ccm.yaml"
	// ccmAddon is the end of the names of the objects that install the cloud controller manager, and the label by which a
	// Cluster asks for it.
	ccmAddon = "ccm"
)

// errUnset makes a template use a variable's default.
var errUnset = errors.New("the variable is not set")

// WithCCM adds to a manifest what installs the cloud controller manager in each of its clusters: the ClusterResourceSet of the
// cluster template with what it applies, and the label that selects the Cluster. The manifest has been adapted.
func (s *Stack) WithCCM(objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	all := slices.Clone(objects)
	for _, object := range objects {
		if object.GetKind() != "Cluster" {
			continue
		}
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[ccmAddon] = object.GetName()
		object.SetLabels(labels)
		added, err := s.ccmOf(object, endpointIn(objects))
		if err != nil {
			return nil, fmt.Errorf("installing capnt-ccm in cluster %s: %w", object.GetName(), err)
		}
		all = append(all, added...)
	}
	return all, nil
}

// ccmOf takes from the cluster template what installs the cloud controller manager.
func (s *Stack) ccmOf(cluster *unstructured.Unstructured, endpoint string) ([]*unstructured.Unstructured, error) {
	template, err := os.ReadFile(filepath.Join(s.options.Repository, ccmTemplate))
	if err != nil {
		return nil, err
	}
	variables, err := s.variables(cluster, endpoint)
	if err != nil {
		return nil, err
	}
	processor := yamlprocessor.NewSimpleProcessor()
	defaults, err := processor.GetVariableMap(template)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster template: %w", err)
	}
	text, err := processor.Process(template, func(name string) (string, error) {
		if value, ok := variables[name]; ok {
			return value, nil
		}
		if defaults[name] != nil {
			return "", errUnset
		}
		return "1", nil // of a part that is not taken
	})
	if err != nil {
		return nil, fmt.Errorf("filling in the cluster template: %w", err)
	}
	objects, err := env.ParseManifest(text)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool {
		return object.GetName() != cluster.GetName()+"-"+ccmAddon
	}), nil
}

func (s *Stack) variables(cluster *unstructured.Unstructured, endpoint string) (map[string]string, error) {
	prism, err := s.prismAddress()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"CLUSTER_NAME": cluster.GetName(), "NAMESPACE": cluster.GetNamespace(), "CONTROL_PLANE_ENDPOINT_IP": endpoint,
		"NUTANIX_ENDPOINT": prism.host, "NUTANIX_PORT": fmt.Sprint(prism.port),
		"NUTANIX_USER": s.options.Credentials.Username, "NUTANIX_PASSWORD": s.options.Credentials.Password,
		"NUTANIX_ADDITIONAL_TRUST_BUNDLE": base64.StdEncoding.EncodeToString(s.Prism.CABundle()),
	}, nil
}

// endpointIn finds the control plane endpoint of a manifest's cluster.
func endpointIn(objects []*unstructured.Unstructured) string {
	for _, object := range objects {
		if path := specOf(object); path != nil {
			if host, found, _ := unstructured.NestedString(object.Object, append(path, "controlPlaneEndpoint", "host")...); found {
				return host
			}
		}
	}
	return ""
}
