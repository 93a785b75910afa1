package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// kubernetesBackend is the type of Terraform's backend that stores states in Secrets. It is the default.
const kubernetesBackend = "kubernetes"

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

// Readable reports whether states contain bootstrap data and reach the backend unencrypted. The manager removes the bootstrap data from
// the states that it stores itself.
func (b Backend) Readable() bool { return !b.Kubernetes() && b.Environment[encryptionVariable] == "" }

// BackendFor returns the backend for the state of the object namespace/name. suffix is the object's state suffix (see StateSuffix). spec
// is the backend configuration of the cluster, or nil. environment contains the secrets of the backend (see Environment). BackendFor
// returns an error if the object would share its state or its lock with another object.
func BackendFor(spec *infrav1.TerraformBackend, suffix, namespace, name string, environment map[string]string) (Backend, error) {
	backend := Backend{Suffix: suffix, Environment: environment}
	if storedByManager(spec) {
		backend.Backend = renderer.Backend{
			Type:   kubernetesBackend,
			Config: map[string]string{"namespace": namespace, "secret_suffix": backend.Suffix},
		}
		return backend, nil
	}
	if err := spec.ValidateState(namespace, name, suffix); err != nil {
		return Backend{}, fmt.Errorf("configuring backend %s: %w", spec.Type, err)
	}
	backend.Backend = renderer.Backend{Type: spec.Type, Config: spec.Arguments(namespace, name, suffix)}
	return backend, nil
}

// storedByManager reports whether spec is the kubernetes backend, which is also the default.
func storedByManager(spec *infrav1.TerraformBackend) bool {
	return spec == nil || spec.Type == "" || spec.Type == kubernetesBackend
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
