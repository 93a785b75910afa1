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

// Placeholders in a backend's configuration, which serves all objects of a cluster.
const (
	placeholderNamespace = "{namespace}"
	placeholderName      = "{name}"
	placeholderSuffix    = "{suffix}"
)

// stateKeys maps each backend type that can store many states to the argument that distinguishes them. If the configuration does
// not set the argument, it is set to the object's suffix.
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

// Backend is where the Terraform state of one object is stored.
type Backend struct {
	renderer.Backend
	// Suffix is unique to the object and stays the same when the object is moved.
	Suffix string
	// Environment contains the environment variables with the backend's secrets for a run.
	Environment map[string]string
}

// Kubernetes reports whether the state is stored in Secrets in the object's namespace.
func (b Backend) Kubernetes() bool { return b.Type == kubernetesBackend }

// BackendFor returns the backend for the state of the object with that namespace and name. suffix is the object's state suffix
// (see StateSuffix). spec is the cluster's configuration and may be nil. secret contains environment variables for the runs, by
// name. BackendFor returns an error for a configuration with which two objects would share one state.
func BackendFor(spec *infrav1.TerraformBackend, suffix, namespace, name string, secret map[string][]byte) (Backend, error) {
	backend := Backend{Suffix: suffix, Environment: map[string]string{}}
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

// expand replaces the placeholders, and reports whether the resulting values are unique to one object.
func expand(config map[string]string, placeholders *strings.Replacer) (map[string]string, bool) {
	expanded := map[string]string{}
	unique := false
	for _, argument := range slices.Sorted(maps.Keys(config)) {
		value := config[argument]
		expanded[argument] = placeholders.Replace(value)
		// Namespace and name are not enough, because a cluster and a machine may have the same name.
		unique = unique || strings.Contains(value, placeholderSuffix)
	}
	return expanded, unique
}

// With these lengths a suffix fits into a label of 63 characters. The kubernetes backend writes the suffix to a label.
const (
	suffixNameLength      = 27
	suffixKeyLength       = 8
	suffixNameLengthNoKey = 36
)

// StateSuffix returns the state suffix of a new object. It is derived from kind, namespace, name and a part of the workspace key,
// so that objects of the same name in two management clusters with one backend have different states. Without a key it returns the
// suffix of v0.1.0, which objects of that release keep.
//
// A suffix ends in a letter, because Terraform's kubernetes backend parses a final dash and digits as the number of a part of a
// state. The digest distinguishes names that are equal after truncation.
func StateSuffix(kind, namespace, name, key string) string {
	sum := sha256.Sum256([]byte(kind + "/" + namespace + "/" + name))
	digest, kindName := hex.EncodeToString(sum[:5]), strings.ToLower(strings.TrimPrefix(kind, "Nutanix"))
	if key == "" {
		return fmt.Sprintf("%s-%s-%s", readable(name, suffixNameLengthNoKey), digest, kindName)
	}
	return fmt.Sprintf("%s-%s-%s-%s", readable(name, suffixNameLength), digest, readable(key, suffixKeyLength), kindName)
}

// readable truncates a name and replaces its dots, which are not allowed in a suffix.
func readable(name string, length int) string {
	return strings.ReplaceAll(name[:min(len(name), length)], ".", "-")
}
