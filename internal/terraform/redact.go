package terraform

import (
	"reflect"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// sensitiveMark replaces a sensitive value in a plan.
const sensitiveMark = "(sensitive value)"

// changedMark replaces the new value of an attribute if only sensitive parts of the attribute change. Otherwise the old and the new value
// would be equal after sensitive parts were replaced, and the classification of changes would not notice the change.
const changedMark = "(sensitive value that changes)"

// sensitiveAttributes lists prefixes of attributes of the nutanix provider that contain bootstrap data. The schema of the provider does
// not mark these attributes as sensitive.
var sensitiveAttributes = []string{"guest_customization"}

// redact removes sensitive values from the JSON form of a plan. It drops the parts that contain all values: variables, planned values,
// prior state and configuration. In the changes, it replaces sensitive values. For an imported object, Terraform marks no old value as
// sensitive. Therefore redact replaces a value if the same value is marked as sensitive either before or after the change.
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

// changedNames returns the names of the attributes that exist before and after a change and whose values differ.
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

// mask replaces the parts of value that are sensitive. marks is a tree of booleans, as in the JSON form of a plan, that is true for these
// parts.
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

// isSensitiveAttribute reports whether an attribute is always sensitive, even if the plan does not mark it as sensitive.
func isSensitiveAttribute(name string) bool {
	for _, prefix := range sensitiveAttributes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
