// Package snapshot records the objects and VMs of a management cluster that runs a release of CAPNT, and restores them.
// Tests use it to upgrade from that release.
package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
)

// These are the files of a snapshot. Write does not write the CRDs and the inventory. The caller of Write must add
// them.
const (
	crdFile       = "crds.yaml"
	objectDir     = "objects"
	prismFile     = "prism.json"
	inventoryFile = "inventory.yaml"
)

// Snapshot contains the objects and VMs of a release.
type Snapshot struct {
	// Dir is the directory from which the snapshot was read.
	Dir string
	// Objects contains all objects of one namespace except addons.
	Objects []*unstructured.Unstructured
	// Prism is the content of the simulated Prism Central.
	Prism *prismsim.Snapshot
	// Installers contains the objects that Restore has created to install the cloud controller manager in the clusters.
	Installers []*unstructured.Unstructured
}

// Take returns a snapshot of a namespace. The objects in the namespace must not change during the call.
func Take(ctx context.Context, s *stack.Stack, namespace string) (*Snapshot, error) {
	objects, err := s.Env.Objects(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("taking a snapshot of namespace %s: %w", namespace, err)
	}
	objects = slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool {
		secretType, _, _ := unstructured.NestedString(object.Object, "type")
		return secretType == string(addonsv1.ClusterResourceSetSecretType)
	})
	prism, err := s.Prism.Snapshot()
	if err != nil {
		return nil, err
	}
	return &Snapshot{Objects: objects, Prism: prism}, nil
}

// Write writes the snapshot to a directory. It writes one file for each kind of object and one file for Prism Central.
func (s *Snapshot) Write(dir string) error {
	files := map[string][]byte{}
	for _, object := range s.Objects {
		raw, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("writing %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		name := filepath.Join(objectDir, object.GetKind()+".yaml")
		files[name] = append(append(files[name], "---\n"...), raw...)
	}
	var prism bytes.Buffer
	encoder := json.NewEncoder(&prism)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s.Prism); err != nil {
		return fmt.Errorf("writing what Prism Central has: %w", err)
	}
	files[prismFile] = prism.Bytes()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing a snapshot: %w", err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("writing a snapshot: %w", err)
		}
	}
	return nil
}

// Read reads a snapshot from a directory.
func Read(dir string) (*Snapshot, error) {
	snapshot := &Snapshot{Dir: dir}
	names, err := filepath.Glob(filepath.Join(dir, objectDir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading snapshot %s: %w", dir, err)
	}
	for _, name := range names {
		objects, err := env.LoadManifest(name)
		if err != nil {
			return nil, err
		}
		snapshot.Objects = append(snapshot.Objects, objects...)
	}
	raw, err := os.ReadFile(filepath.Join(dir, prismFile))
	if err != nil {
		return nil, fmt.Errorf("reading snapshot %s: %w", dir, err)
	}
	snapshot.Prism, err = prismsim.ParseSnapshot(raw)
	return snapshot, err
}

// Inventory returns the inventory of the snapshot's Prism Central, with the addresses of the given network.
func (s *Snapshot) Inventory(network stack.Network) (*prismsim.Inventory, error) {
	content, err := os.ReadFile(filepath.Join(s.Dir, inventoryFile))
	if err != nil {
		return nil, fmt.Errorf("reading the inventory of a snapshot: %w", err)
	}
	return prismsim.ParseInventory([]byte(network.Move(string(content))))
}

// Provider returns the provider files of the release. They contain no webhook configurations, because the manager of
// the release does not run.
func (s *Snapshot) Provider() *stack.Provider {
	return &stack.Provider{CRDs: filepath.Join(s.Dir, crdFile)}
}

// Clusters returns the keys of the snapshot's Clusters.
func (s *Snapshot) Clusters() []client.ObjectKey {
	var keys []client.ObjectKey
	for _, object := range s.Objects {
		if object.GetKind() == "Cluster" {
			keys = append(keys, client.ObjectKeyFromObject(object))
		}
	}
	return keys
}
