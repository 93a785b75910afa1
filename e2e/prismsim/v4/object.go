package v4

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Object is a JSON object of the v4 API. The property "$objectType" contains its type. The property "$reserved" depends
// on the version in the path, so it is added only when a response is written.
type Object map[string]any

// Keys that every v4 object may contain.
const (
	KeyType     = "$objectType"
	keyReserved = "$reserved"
	keyUnknown  = "$unknownFields"
)

// Typed returns an object with a type such as "vmm.v4.ahv.config.Vm". It omits nil fields, as the API does.
func Typed(name string, fields Object) Object {
	out := Object{KeyType: name}
	for key, value := range fields {
		if value != nil {
			out[key] = value
		}
	}
	return out
}

// ObjectOf converts a model of the vendor's SDK to an object, without the fields that only the SDK uses.
func ObjectOf(model any) Object {
	raw, err := json.Marshal(model)
	if err != nil {
		panic(fmt.Errorf("marshalling %T: %w", model, err)) // models of plain values always marshal
	}
	var out Object
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(fmt.Errorf("unmarshalling %T: %w", model, err))
	}
	clean(out)
	return out
}

func clean(value any) {
	walk(value, func(node map[string]any) {
		delete(node, keyReserved)
		delete(node, keyUnknown)
	})
}

// addReserved adds "$reserved" to every typed object. Its value is the version of the object's format: v4.r<minor>, or
// v1.r0 for common types.
func addReserved(value any, minor int) {
	format := fmt.Sprintf("v4.r%d", minor)
	walk(value, func(node map[string]any) {
		name, isTyped := node[KeyType].(string)
		switch {
		case !isTyped:
		case strings.HasPrefix(name, "common.v1."):
			node[keyReserved] = Object{"$fv": "v1.r0"}
		default:
			node[keyReserved] = Object{"$fv": format}
		}
	})
}

// walk calls visit for every object in value, outer objects first.
func walk(value any, visit func(map[string]any)) {
	switch node := value.(type) {
	case Object:
		walk(map[string]any(node), visit)
	case map[string]any:
		visit(node)
		for _, child := range node {
			walk(child, visit)
		}
	case []Object:
		for _, child := range node {
			walk(child, visit)
		}
	case []any:
		for _, child := range node {
			walk(child, visit)
		}
	}
}

// field returns the property of value with a path such as ["cluster", "extId"], or nil if it does not exist.
func field(value any, path []string) any {
	for _, name := range path {
		switch node := value.(type) {
		case Object:
			value = node[name]
		case map[string]any:
			value = node[name]
		default:
			return nil
		}
	}
	return value
}

// elements converts a list of any type to a list of elements.
func elements(value any) []any {
	var out []any
	switch list := value.(type) {
	case []any:
		return list
	case []Object:
		for _, item := range list {
			out = append(out, item)
		}
	case []string:
		for _, item := range list {
			out = append(out, item)
		}
	}
	return out
}

// selected returns a copy of the object that contains only the named properties, the type and the ID. A path such as
// "cluster/extId" selects the whole property cluster.
func (o Object) selected(names []string) Object {
	out := Object{}
	for _, name := range append([]string{KeyType, "extId"}, names...) {
		top, _, _ := strings.Cut(name, "/")
		if value, has := o[top]; has {
			out[top] = value
		}
	}
	return out
}

// References returns a list of references with the type typeName, one for each ID.
func References(typeName string, ids ...string) []Object {
	out := make([]Object, 0, len(ids))
	for _, id := range ids {
		out = append(out, Typed(typeName, Object{"extId": id}))
	}
	return out
}
