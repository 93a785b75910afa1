package plan

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	tfjson "github.com/hashicorp/terraform-json"
)

// attributeName matches the elements of a path that need no quotes. Users choose the keys of maps, so a key can be any string.
var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// valuePair is one attribute before and after a change, as the JSON form of the plan contains it.
type valuePair struct {
	// Path is the path of the attribute, for example disk_list[0].disk_size_mib or values["My Key"].
	Path   string `json:"path"`
	Before any    `json:"before,omitempty"`
	// After is nil if the whole value is known only after the apply. The unknown parts of a value are replaced by unknownMark.
	After any `json:"after,omitempty"`
	// Unknown means that the planned value, or a part of it, is known only after the apply.
	Unknown bool `json:"unknown,omitempty"`
}

// unknownMark replaces the parts of a value that are known only after the apply.
const unknownMark = "(known after apply)"

// whollyUnknown reports whether the complete planned value is known only after the apply.
func (v valuePair) whollyUnknown() bool { return v.Unknown && v.After == nil }

// changes reports whether the planned value differs from the present one.
func (v valuePair) changes() bool { return v.Unknown || !reflect.DeepEqual(v.Before, v.After) }

// changedValues returns the values that an update changes, sorted by path. If an object or a list has the same structure before and after
// the change, its parts are compared. A value that is known only after the apply counts as changed.
func changedValues(change *tfjson.Change) []valuePair {
	return (&walker{}).object(change.Before, change.After, change.AfterUnknown)
}

// allValues returns all values of a resource that a change creates, replaces or removes, sorted by path.
func allValues(before, after, unknown any) []valuePair {
	return (&walker{all: true}).object(before, after, unknown)
}

// walker compares two JSON values.
type walker struct {
	// all means that unchanged values are found, too, and that an object or a list is divided into its parts even if it exists only before or
	// only after the change.
	all   bool
	found []valuePair
}

func (w *walker) object(before, after, unknown any) []valuePair {
	for _, name := range keys(object(before), object(after), object(unknown)) {
		w.visit(joined("", name), object(before)[name], object(after)[name], object(unknown)[name])
	}
	return w.found
}

// visit compares the values at path. unknown is true, or contains true, where a value is known only after the apply.
func (w *walker) visit(path string, before, after, unknown any) {
	if unknown == true {
		w.found = append(w.found, valuePair{Path: path, Before: before, Unknown: true})
		return
	}
	if length, ok := w.lists(before, after, unknown); ok {
		for i := range length {
			w.visit(fmt.Sprintf("%s[%d]", path, i), element(before, i), element(after, i), element(unknown, i))
		}
		return
	}
	if names, ok := w.objects(before, after, unknown); ok {
		for _, name := range names {
			w.visit(joined(path, name), object(before)[name], object(after)[name], object(unknown)[name])
		}
		return
	}
	found := valuePair{Path: path, Before: before, After: after, Unknown: containsTrue(unknown)}
	if found.Unknown {
		found.After = withUnknown(after, unknown)
	}
	if found.changes() || w.all && before != nil {
		w.found = append(w.found, found)
	}
}

// lists returns the length of two lists whose elements can be compared.
func (w *walker) lists(before, after, unknown any) (length int, ok bool) {
	beforeList, isList := before.([]any)
	afterList, stillList := after.([]any)
	switch {
	case isList && stillList:
		return len(beforeList), len(beforeList) == len(afterList) && len(beforeList) > 0
	case !w.all:
		return 0, false
	case isList && after == nil && !containsTrue(unknown):
		return len(beforeList), len(beforeList) > 0
	case stillList && before == nil:
		return len(afterList), len(afterList) > 0
	}
	return 0, false
}

// objects returns the names of the members of two objects that can be compared.
func (w *walker) objects(before, after, unknown any) (names []string, ok bool) {
	beforeObject, isObject := before.(map[string]any)
	afterObject, stillObject := after.(map[string]any)
	both := isObject && stillObject
	created, removed := stillObject && before == nil, isObject && after == nil && !containsTrue(unknown)
	if !both && (!w.all || !created && !removed) {
		return nil, false
	}
	names = keys(beforeObject, afterObject, object(unknown))
	return names, len(names) > 0
}

// withUnknown returns a copy of a value in which unknownMark replaces the parts that are known only after the apply.
func withUnknown(known, unknown any) any {
	switch unknown := unknown.(type) {
	case bool:
		if unknown {
			return unknownMark
		}
	case []any:
		knownList, _ := known.([]any)
		list := make([]any, max(len(knownList), len(unknown)))
		for i := range list {
			list[i] = withUnknown(element(known, i), element(unknown, i))
		}
		return list
	case map[string]any:
		merged := map[string]any{}
		for _, name := range keys(object(known), unknown) {
			merged[name] = withUnknown(object(known)[name], unknown[name])
		}
		return merged
	}
	return known
}

// joined returns the path of the member name of the object at path.
func joined(path, name string) string {
	switch {
	case !attributeName.MatchString(name):
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	default:
		return path + "." + name
	}
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

func element(value any, index int) any {
	list, _ := value.([]any)
	if index >= len(list) {
		return nil
	}
	return list[index]
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
