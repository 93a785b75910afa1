package v4

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Object is a v4 entity, or a part of one, as it goes over the wire. "$objectType" names its type; "$reserved" is added when
// it is answered (see addReserved), because it depends on the version that was asked for.
type Object map[string]any

// Keys that every v4 object may have.
const (
	keyType     = "$objectType"
	keyReserved = "$reserved"
	keyUnknown  = "$unknownFields"
)

// Typed makes an object of a v4 type such as "vmm.v4.ahv.config.Vm". Fields that are nil are left out, as the API does.
func Typed(name string, fields Object) Object {
	out := Object{keyType: name}
	for key, value := range fields {
		if value != nil {
			out[key] = value
		}
	}
	return out
}

// ObjectOf turns a model of the vendor's SDK into an object, without what is the SDK's own.
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

// addReserved gives every typed object its "$reserved" with the version of its format: v4.r<minor>, and v1.r0 for the common types.
func addReserved(value any, minor int) {
	format := fmt.Sprintf("v4.r%d", minor)
	walk(value, func(node map[string]any) {
		name, isTyped := node[keyType].(string)
		switch {
		case !isTyped:
		case strings.HasPrefix(name, "common.v1."):
			node[keyReserved] = Object{"$fv": "v1.r0"}
		default:
			node[keyReserved] = Object{"$fv": format}
		}
	})
}

// walk visits every object in a value, outer ones first.
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

// field follows a path such as ["cluster", "extId"]; nil when something on the way is missing.
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

// elements gives the members of a list of any kind.
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

// selected gives an object with only the named properties, its type and its ID; "cluster/extId" keeps the whole of cluster.
func (o Object) selected(names []string) Object {
	out := Object{}
	for _, name := range append([]string{keyType, "extId"}, names...) {
		top, _, _ := strings.Cut(name, "/")
		if value, has := o[top]; has {
			out[top] = value
		}
	}
	return out
}

// references gives a list of references of one type.
func references(typeName string, ids ...string) []Object {
	out := make([]Object, 0, len(ids))
	for _, id := range ids {
		out = append(out, Typed(typeName, Object{"extId": id}))
	}
	return out
}
