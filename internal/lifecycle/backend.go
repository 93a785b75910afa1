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

// kubernetesBackend is the type of Terraform's backend that stores states in Secrets. It is the default.
const kubernetesBackend = "kubernetes"

// Placeholders in the configuration of a backend. One configuration applies to all objects of a cluster.
const (
	placeholderNamespace = "{namespace}"
	placeholderName      = "{name}"
	placeholderSuffix    = "{suffix}"
)

// stateKeys maps each backend type that can store several states to the argument that distinguishes them. If the configuration does not
// set this argument, BackendFor sets it to the object's suffix.
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

// Backend describes where the Terraform state of one object is stored.
type Backend struct {
	renderer.Backend
	// Suffix identifies the object in the backend. It stays the same when clusterctl moves the object to another management cluster.
	Suffix string
	// Environment contains environment variables for runs: the secrets of the backend.
	Environment map[string]string
}

// Kubernetes reports whether the state is stored in Secrets in the object's namespace.
func (b Backend) Kubernetes() bool { return b.Type == kubernetesBackend }

// BackendFor returns the backend for the state of the object namespace/name. suffix is the object's state suffix (see StateSuffix). spec
// is the backend configuration of the cluster, or nil. secret maps environment variables to their values for the runs. BackendFor returns
// an error if two objects would share one state with this configuration.
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

// expand replaces the placeholders in the values of config. The second result is true if the values are different for every object.
func expand(config map[string]string, placeholders *strings.Replacer) (map[string]string, bool) {
	expanded := map[string]string{}
	unique := false
	for _, argument := range slices.Sorted(maps.Keys(config)) {
		value := config[argument]
		expanded[argument] = placeholders.Replace(value)
		// Namespace and name are not unique, because a cluster and a machine can have the same name.
		unique = unique || strings.Contains(value, placeholderSuffix)
	}
	return expanded, unique
}

// Maximum lengths of the parts of a suffix. The kubernetes backend writes the suffix into a label, whose maximum length is 63 characters.
const (
	suffixNameLength      = 27
	suffixKeyLength       = 8
	suffixNameLengthNoKey = 36
)

// StateSuffix returns the state suffix of a new object. The suffix is derived from kind, namespace, name and a part of the workspace key.
// Because of the key, two objects with the same name in two management clusters have different states even if both clusters use the same
// backend. If key is empty, StateSuffix returns the suffix that v0.1.0 used, because objects of that release keep their suffix.
//
// A suffix ends in a letter. Terraform's kubernetes backend splits a large state into several Secrets and numbers them with a dash and
// digits. A suffix that ends in a dash and digits would look like such a number. The suffix contains a digest, so that two long names
// with the same beginning have different suffixes.
func StateSuffix(kind, namespace, name, key string) string {
	sum := sha256.Sum256([]byte(kind + "/" + namespace + "/" + name))
	digest, kindName := hex.EncodeToString(sum[:5]), strings.ToLower(strings.TrimPrefix(kind, "Nutanix"))
	if key == "" {
		return fmt.Sprintf("%s-%s-%s", readable(name, suffixNameLengthNoKey), digest, kindName)
	}
	return fmt.Sprintf("%s-%s-%s-%s", readable(name, suffixNameLength), digest, readable(key, suffixKeyLength), kindName)
}

// readable truncates name to length and replaces its dots, which are not allowed in a suffix.
func readable(name string, length int) string {
	return strings.ReplaceAll(name[:min(len(name), length)], ".", "-")
}
