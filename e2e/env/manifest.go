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

// fieldOwner is the field manager of applied objects, the same as kubectl's.
const fieldOwner = client.FieldOwner("kubectl")

var documentSeparator = regexp.MustCompile(`(?m)^---\s*(?:#.*)?$`)

// splitYAML returns the documents of a file, without those that contain only comments.
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

// LoadManifest reads a file of YAML documents with ParseManifest.
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

// ParseManifest reads YAML documents. Substitutions are pairs of old and new text. An old text that does not occur is an
// error, so that a changed manifest is noticed. Duplicate keys are an error. Objects without a namespace go to "default".
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

// Apply creates or updates the objects in order, as kubectl apply does. Unknown fields are an error.
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

// strict returns a client whose writes fail for unknown and duplicate fields.
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
