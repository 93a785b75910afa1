package terraform

import (
	"reflect"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// sensitiveMark replaces a value that must not be recorded.
const sensitiveMark = "(sensitive value)"

// changedMark replaces an attribute after a change if only sensitive parts of it changed. Both sides must differ, because the
// classification of a change compares them.
const changedMark = "(sensitive value that changes)"

// sensitiveAttributes are prefixes of attributes of the nutanix provider that contain bootstrap data, although the schema does not
// mark them as sensitive.
var sensitiveAttributes = []string{"guest_customization"}

// redact removes sensitive values from the JSON form of a plan. It drops the parts that repeat all values (variables, planned
// values, prior state, configuration) and replaces sensitive values in the changes. An imported object has no sensitivity marks
// before the change, so both sides are masked by the marks of both.
func redact(plan *tfjson.Plan, scrub scrubber) {
	plan.Variables, plan.PlannedValues, plan.PriorState, plan.Config = nil, nil, nil, nil
	for _, list := range [][]*tfjson.ResourceChange{plan.ResourceChanges, plan.ResourceDrift} {
		for _, resource := range list {
			redactChange(resource.Change, scrub)
		}
	}
	for _, deferred := range plan.DeferredChanges {
		if deferred.ResourceChange != nil {
			redactChange(deferred.ResourceChange.Change, scrub)
		}
	}
	for _, change := range plan.OutputChanges {
		redactChange(change, scrub)
	}
}

func redactChange(change *tfjson.Change, scrub scrubber) {
	if change == nil {
		return
	}
	changed := changedNames(change)
	for _, side := range []*any{&change.Before, &change.After} {
		for _, marks := range []any{change.BeforeSensitive, change.AfterSensitive} {
			*side = mask(*side, marks)
		}
		*side = scrub.value(*side)
	}
	change.GeneratedConfig = ""
	before, _ := change.Before.(map[string]any)
	after, _ := change.After.(map[string]any)
	for _, name := range changed {
		if reflect.DeepEqual(before[name], after[name]) {
			after[name] = changedMark
		}
	}
}

// changedNames returns the names of the attributes that both sides of a change have and that differ.
func changedNames(change *tfjson.Change) []string {
	before, _ := change.Before.(map[string]any)
	after, _ := change.After.(map[string]any)
	var names []string
	for name, value := range before {
		if other, found := after[name]; found && !reflect.DeepEqual(value, other) {
			names = append(names, name)
		}
	}
	return names
}

// mask replaces the parts of value that are true in marks, which is a tree of booleans in the plan format.
func mask(value, marks any) any {
	if value == nil {
		return nil
	}
	switch marks := marks.(type) {
	case bool:
		if marks {
			return sensitiveMark
		}
	case []any:
		if list, ok := value.([]any); ok {
			for i := range min(len(list), len(marks)) {
				list[i] = mask(list[i], marks[i])
			}
		}
	case map[string]any:
		if object, ok := value.(map[string]any); ok {
			for name, mark := range marks {
				if inner, found := object[name]; found {
					object[name] = mask(inner, mark)
				}
			}
		}
	}
	return value
}

// isSensitiveAttribute reports whether an attribute is sensitive even if the plan does not mark it.
func isSensitiveAttribute(name string) bool {
	for _, prefix := range sensitiveAttributes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
