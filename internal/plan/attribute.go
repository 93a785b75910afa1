package plan

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

// attributeName matches the parts of a path that a record may contain. Users choose the keys of maps, so a key is recorded only if it
// looks like the name of an attribute.
var attributeName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// changedPaths returns the sorted paths of the attributes that a change affects. It compares the JSON forms of the resource before and
// after the change. A value that is known only after the apply counts as changed.
func changedPaths(change *tfjson.Change) []string {
	var paths []string
	before, after, unknown := object(change.Before), object(change.After), object(change.AfterUnknown)
	for _, name := range keys(before, after, unknown) {
		paths = append(paths, differences(name, before[name], after[name], unknown[name])...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// differences returns the paths at or below path at which before and after differ. If the two values have different structures, it
// returns path itself. unknown is true, or contains true, where a value is known only after the apply.
func differences(path string, before, after, unknown any) []string {
	if whole, ok := unknown.(bool); ok && whole {
		return []string{path}
	}
	if beforeList, afterList, ok := lists(before, after); ok {
		var paths []string
		unknownList, _ := unknown.([]any)
		for i := range beforeList {
			var hidden any
			if i < len(unknownList) {
				hidden = unknownList[i]
			}
			paths = append(paths, differences(fmt.Sprintf("%s[%d]", path, i), beforeList[i], afterList[i], hidden)...)
		}
		return paths
	}
	beforeObject, isObject := before.(map[string]any)
	afterObject, stillObject := after.(map[string]any)
	if !isObject || !stillObject {
		if containsTrue(unknown) || !reflect.DeepEqual(before, after) {
			return []string{path}
		}
		return nil
	}
	var paths []string
	for _, name := range keys(beforeObject, afterObject, object(unknown)) {
		inner := path
		if attributeName.MatchString(name) {
			inner += "." + name
		}
		paths = append(paths, differences(inner, beforeObject[name], afterObject[name], object(unknown)[name])...)
	}
	return paths
}

// lists returns before and after as lists. ok is false unless both are lists of the same length.
func lists(before, after any) (beforeList, afterList []any, ok bool) {
	beforeList, isList := before.([]any)
	afterList, stillList := after.([]any)
	return beforeList, afterList, isList && stillList && len(beforeList) == len(afterList)
}

func containsTrue(unknown any) bool {
	switch unknown := unknown.(type) {
	case bool:
		return unknown
	case []any:
		return slices.ContainsFunc(unknown, containsTrue)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(unknown)), containsTrue)
	default:
		return false
	}
}

func object(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}

func keys(objects ...map[string]any) []string {
	all := map[string]bool{}
	for _, object := range objects {
		for key := range object {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
