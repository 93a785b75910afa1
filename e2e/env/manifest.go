package env

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// fieldOwner is the field manager of the applied objects. kubectl uses the same name.
const fieldOwner = client.FieldOwner("kubectl")

var documentSeparator = regexp.MustCompile(`(?m)^---\s*(?:#.*)?$`)

// splitYAML returns the YAML documents in content. It leaves out documents that contain only comments.
func splitYAML(content []byte) [][]byte {
	var found [][]byte
	for _, document := range documentSeparator.Split(string(content), -1) {
		for line := range strings.Lines(document) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				found = append(found, []byte(document))
				break
			}
		}
	}
	return found
}

// LoadManifest reads the file with the given path and parses it with ParseManifest.
func LoadManifest(path string, substitutions ...string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	objects, err := ParseManifest(content, substitutions...)
	if err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", path, err)
	}
	return objects, nil
}

// ParseManifest parses YAML documents. Before that, it replaces strings: substitutions contains pairs of an old and a
// new string. It returns an error if an old string does not occur, so that tests fail when a manifest has changed. It
// also returns an error if a document contains a key twice. Objects without a namespace get the namespace "default".
func ParseManifest(content []byte, substitutions ...string) ([]*unstructured.Unstructured, error) {
	text := string(content)
	for i := 0; i+1 < len(substitutions); i += 2 {
		if !strings.Contains(text, substitutions[i]) {
			return nil, fmt.Errorf("substituting: the text %q does not occur", substitutions[i])
		}
	}
	text = strings.NewReplacer(substitutions...).Replace(text)
	var objects []*unstructured.Unstructured
	for i, document := range splitYAML([]byte(text)) {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		if object.GetKind() == "" || object.GetAPIVersion() == "" {
			return nil, fmt.Errorf("document %d: apiVersion or kind is missing", i+1)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// Apply creates or updates the objects in the given order, as kubectl apply does. It returns an error for unknown
// fields.
func (e *Environment) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := e.apply(ctx, object); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func (e *Environment) apply(ctx context.Context, object *unstructured.Unstructured) error {
	object = object.DeepCopy()
	namespaced, err := e.Client.IsObjectNamespaced(object)
	if err != nil {
		return err
	}
	if namespaced && object.GetNamespace() == "" {
		object.SetNamespace(metav1.NamespaceDefault)
	}
	err = e.Client.Create(ctx, object.DeepCopy(), fieldOwner)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	return e.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
}

// strict returns a client that uses strict field validation: writes with unknown or duplicate fields fail.
func strict(c client.WithWatch) client.WithWatch {
	return strictClient{WithWatch: c, validating: client.WithFieldValidation(c, metav1.FieldValidationStrict)}
}

type strictClient struct {
	client.WithWatch
	validating client.Client
}

func (c strictClient) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	return c.validating.Create(ctx, object, options...)
}

func (c strictClient) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	return c.validating.Update(ctx, object, options...)
}

func (c strictClient) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	return c.validating.Patch(ctx, object, patch, options...)
}
