package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Kinds of the targets of plans.
const (
	machineKind = "NutanixMachine"
	clusterKind = "NutanixCluster"
)

// variables returns the values of the variables. A variable without a value is left out, so that an expression that uses it fails.
func variables(input Input) (map[string]any, error) {
	schemas, err := loadSchemas()
	if err != nil {
		return nil, err
	}
	values := map[string]any{nowVariable: input.Now}
	if input.MachineCount != nil {
		values[machineCountVariable] = *input.MachineCount
	}
	plan, err := planValues(input)
	if err != nil {
		return nil, err
	}
	values[planVariable] = withTimes(plan, schemas.plan)
	if input.Machine == nil {
		values[machineVariable] = types.NullValue
	} else if values[machineVariable], err = objectValue(input.Machine, schemas.machine); err != nil {
		return nil, err
	}
	if input.Cluster == nil {
		values[clusterVariable] = types.NullValue
	} else if values[clusterVariable], err = objectValue(input.Cluster, schemas.cluster); err != nil {
		return nil, err
	}
	if input.Namespace != nil {
		if values[namespaceVariable], err = objectValue(input.Namespace, schemas.namespace); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// planValues returns the fields of the variable plan: all fields of the spec, and metadata.
func planValues(input Input) (map[string]any, error) {
	object, err := unstructured(input.Plan)
	if err != nil {
		return nil, err
	}
	spec, err := complete(reflect.ValueOf(input.Plan.Spec))
	if err != nil {
		return nil, fmt.Errorf("converting the spec of NutanixPlan %s: %w", input.Plan.Name, err)
	}
	fields, _ := spec.(map[string]any)
	fields["metadata"] = object["metadata"]
	return fields, nil
}

// objectValue returns the fields of an object.
func objectValue(object client.Object, schema *schema.Structural) (any, error) {
	fields, err := unstructured(object)
	if err != nil {
		return nil, err
	}
	return withTimes(fields, schema), nil
}

// withTimes replaces strings that are times according to the schema, because JSON has no type for times. All other values have a type
// that CEL knows.
func withTimes(value any, schema *schema.Structural) any {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if property, ok := schema.Properties[name]; ok {
				value[name] = withTimes(field, &property)
			}
		}
	case []any:
		for i, item := range value {
			if schema.Items != nil {
				value[i] = withTimes(item, schema.Items)
			}
		}
	case string:
		if schema.ValueValidation == nil || schema.ValueValidation.Format != "date-time" {
			return value
		}
		if parsed, err := time.Parse(time.RFC3339, value); err == nil {
			return parsed
		}
	}
	return value
}

// unstructured returns the fields of an object as they are in the API, but labels and annotations are always set.
func unstructured(object client.Object) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("converting %T %s: %w", object, object.GetName(), err)
	}
	metadata, _ := fields["metadata"].(map[string]any)
	for _, name := range []string{"labels", "annotations"} {
		if metadata[name] == nil {
			metadata[name] = map[string]any{}
		}
	}
	if metadata["creationTimestamp"] == nil {
		delete(metadata, "creationTimestamp")
	}
	return fields, nil
}

// complete returns a value in the form of JSON, with all fields of its structs that are not pointers. JSON leaves out empty fields, so
// without this an expression would have to test each number that may be zero and each list that may be empty with has().
func complete(value reflect.Value) (any, error) {
	if marshaler, ok := value.Interface().(json.Marshaler); ok {
		return decode(marshaler)
	}
	switch value.Kind() {
	case reflect.Pointer:
		return complete(value.Elem())
	case reflect.Struct:
		return completeStruct(value)
	case reflect.Slice:
		list := make([]any, value.Len())
		for i := range list {
			item, err := complete(value.Index(i))
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	case reflect.String:
		return value.String(), nil
	case reflect.Bool:
		return value.Bool(), nil
	case reflect.Int32, reflect.Int64:
		return value.Int(), nil
	default:
		return nil, fmt.Errorf("the type %s is not supported", value.Type())
	}
}

func completeStruct(value reflect.Value) (any, error) {
	fields := map[string]any{}
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		if field := value.Field(i); field.Kind() != reflect.Pointer || !field.IsNil() {
			item, err := complete(field)
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", name, err)
			}
			fields[name] = item
		}
	}
	return fields, nil
}

func decode(value json.Marshaler) (any, error) {
	content, err := value.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var decoded any
	return decoded, json.Unmarshal(content, &decoded)
}
