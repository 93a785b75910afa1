package policy

import (
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/config/crd"
)

// schemas are the schemas of the variables that are objects.
type schemas struct {
	plan, machine, cluster, namespace *schema.Structural
}

// loadSchemas returns the schemas. It reads the embedded CustomResourceDefinitions once.
var loadSchemas = sync.OnceValues(func() (*schemas, error) {
	plan, err := schemaOf("nutanixplans")
	if err != nil {
		return nil, err
	}
	machine, err := schemaOf("nutanixmachines")
	if err != nil {
		return nil, err
	}
	cluster, err := schemaOf("nutanixclusters")
	if err != nil {
		return nil, err
	}
	return &schemas{plan: planSchema(plan), machine: machine, cluster: cluster, namespace: object(nil)}, nil
})

// schemaOf returns the schema of a resource with the schema of its metadata.
func schemaOf(resource string) (*schema.Structural, error) {
	file := "bases/" + infrav1.GroupVersion.Group + "_" + resource + ".yaml"
	content, err := crd.Bases.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the embedded schema of %s: %w", resource, err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(content, definition); err != nil {
		return nil, fmt.Errorf("parsing the embedded schema of %s: %w", resource, err)
	}
	for _, version := range definition.Spec.Versions {
		if version.Name != infrav1.GroupVersion.Version {
			continue
		}
		internal := &apiextensions.JSONSchemaProps{}
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, internal, nil); err != nil {
			return nil, fmt.Errorf("converting the embedded schema of %s: %w", resource, err)
		}
		structural, err := schema.NewStructural(internal)
		if err != nil {
			return nil, fmt.Errorf("converting the embedded schema of %s: %w", resource, err)
		}
		return object(structural.Properties), nil
	}
	return nil, fmt.Errorf("the embedded schema of %s has no version %s", resource, infrav1.GroupVersion.Version)
}

// planSchema returns the schema of the variable plan: the fields of the spec and metadata. It has no status, because policies are
// evaluated before the status is written.
func planSchema(plan *schema.Structural) *schema.Structural {
	properties := map[string]schema.Structural{}
	for name, property := range plan.Properties["spec"].Properties {
		properties[name] = property
	}
	return object(properties)
}

// object returns the schema of an object with the properties and with the metadata of a Kubernetes object.
func object(properties map[string]schema.Structural) *schema.Structural {
	all := map[string]schema.Structural{}
	for name, property := range properties {
		all[name] = property
	}
	all["metadata"] = metadata
	return &schema.Structural{Generic: schema.Generic{Type: "object"}, Properties: all}
}

// metadata is the schema of the metadata of all objects. A CustomResourceDefinition has no schema for it.
var metadata = func() schema.Structural {
	text := schema.Structural{Generic: schema.Generic{Type: "string"}}
	integer := schema.Structural{Generic: schema.Generic{Type: "integer"}}
	boolean := schema.Structural{Generic: schema.Generic{Type: "boolean"}}
	timestamp := schema.Structural{Generic: schema.Generic{Type: "string"}, ValueValidation: &schema.ValueValidation{Format: "date-time"}}
	texts := schema.Structural{Generic: schema.Generic{Type: "object"},
		AdditionalProperties: &schema.StructuralOrBool{Structural: &text}}
	list := func(items schema.Structural) schema.Structural {
		return schema.Structural{Generic: schema.Generic{Type: "array"}, Items: &items}
	}
	owner := schema.Structural{Generic: schema.Generic{Type: "object"}, Properties: map[string]schema.Structural{
		"apiVersion": text, "kind": text, "name": text, "uid": text, "controller": boolean, "blockOwnerDeletion": boolean,
	}}
	return schema.Structural{Generic: schema.Generic{Type: "object"}, Properties: map[string]schema.Structural{
		"name": text, "generateName": text, "namespace": text, "uid": text, "resourceVersion": text, "generation": integer,
		"creationTimestamp": timestamp, "deletionTimestamp": timestamp, "labels": texts, "annotations": texts,
		"finalizers": list(text), "ownerReferences": list(owner),
	}}
}()
