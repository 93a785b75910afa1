package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// kubernetesBackend is Terraform's backend type for states in Secrets, and the default.
const kubernetesBackend = "kubernetes"

// Placeholders that a backend's configuration may contain, because one configuration serves all objects of a cluster.
const (
	placeholderNamespace = "{namespace}"
	placeholderName      = "{name}"
	placeholderSuffix    = "{suffix}"
)

// stateKeys names, for the backends that keep many states side by side, the argument that tells them apart. It is set to
// the object's suffix where the configuration does not set it.
var stateKeys = map[string]string{
	"azurerm": "key",
	"consul":  "path",
	"cos":     "prefix",
	"gcs":     "prefix",
	"oci":     "key",
	"oss":     "prefix",
	"pg":      "schema_name",
	"s3":      "key",
}

// Backend is where the Terraform state of one object lives.
type Backend struct {
	renderer.Backend
	// Suffix is unique to the object and the same wherever the object is moved.
	Suffix string
	// Environment carries the backend's secrets to the run.
	Environment map[string]string
}

// Kubernetes reports whether the state lives in Secrets next to the object.
func (b Backend) Kubernetes() bool { return b.Type == kubernetesBackend }

// BackendFor works out where the state of an object lives. spec is the cluster's configuration and may be nil; secret holds
// environment variables by name for the runs. It returns an error for a configuration under which two objects would share
// one state.
func BackendFor(spec *infrav1.TerraformBackend, kind, namespace, name string, secret map[string][]byte) (Backend, error) {
	backend := Backend{Suffix: stateSuffix(kind, namespace, name), Environment: map[string]string{}}
	if spec == nil || spec.Type == "" || spec.Type == kubernetesBackend {
		backend.Backend = renderer.Backend{
			Type:   kubernetesBackend,
			Config: map[string]string{"namespace": namespace, "secret_suffix": backend.Suffix},
		}
		return backend, nil
	}
	for variable, value := range secret {
		backend.Environment[variable] = string(value)
	}
	config, unique := expand(spec.Config, strings.NewReplacer(
		placeholderNamespace, namespace, placeholderName, name, placeholderSuffix, backend.Suffix))
	if key, ok := stateKeys[spec.Type]; ok && config[key] == "" {
		config[key] = backend.Suffix
		unique = true
	}
	if !unique {
		return Backend{}, fmt.Errorf("configuring backend %s: spec.terraform.backend.config would give every object the same state; put %s into the value that names the state",
			spec.Type, placeholderSuffix)
	}
	backend.Backend = renderer.Backend{Type: spec.Type, Config: config}
	return backend, nil
}

// expand replaces the placeholders, and reports whether the values are now those of one object alone.
func expand(config map[string]string, placeholders *strings.Replacer) (map[string]string, bool) {
	expanded := map[string]string{}
	unique := false
	for _, argument := range slices.Sorted(maps.Keys(config)) {
		value := config[argument]
		expanded[argument] = placeholders.Replace(value)
		// Namespace and name do not tell a cluster from a machine of the same name.
		unique = unique || strings.Contains(value, placeholderSuffix)
	}
	return expanded, unique
}

// suffixNameLength keeps a suffix within the 63 characters of the label in which the backend repeats it.
const suffixNameLength = 36

// stateSuffix derives the suffix from what a move keeps: kind, namespace and name. It ends in a letter, because Terraform's
// kubernetes backend takes a final dash and digits for the number of a part of a state. Two kinds may have objects of one
// name, hence the digest.
func stateSuffix(kind, namespace, name string) string {
	sum := sha256.Sum256([]byte(kind + "/" + namespace + "/" + name))
	readable := strings.ReplaceAll(name[:min(len(name), suffixNameLength)], ".", "-")
	return fmt.Sprintf("%s-%s-%s", readable, hex.EncodeToString(sum[:5]), strings.ToLower(strings.TrimPrefix(kind, "Nutanix")))
}
