package terraform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// sensitiveMark replaces a sensitive value in a plan if there is no key for fingerprints. With a key, the mark also contains the
// fingerprint of the value: "(sensitive value 0123456789ab)".
const sensitiveMark = "(sensitive value)"

// changedMark replaces the new value of an attribute if the old and the new value differ, but are equal after sensitive parts were
// replaced. Otherwise the classification of changes would not notice the change.
const changedMark = "(sensitive value that changes)"

// anyMark matches every mark. package plan ignores the fingerprints in digests, so a value that is no mark must not look like one.
var anyMark = regexp.MustCompile(`^\(sensitive value( [0-9a-f]{12}| that changes)?\)$`)

// sensitiveAttributes lists prefixes of attributes of the nutanix provider that contain bootstrap data or credentials. The schema of the
// provider does not mark these attributes as sensitive.
var sensitiveAttributes = []string{"guest_customization", "user_data", "ngt_credentials"}

// redactor removes sensitive values from the JSON form of plans.
type redactor struct {
	scrub scrubber
	// key is the HMAC key of the fingerprints. If it is empty, values are replaced without a fingerprint.
	key []byte
}

// plan removes sensitive values from the JSON form of a plan. It drops the parts that contain all values: variables, planned values, prior
// state, configuration and checks. In the changes, it replaces sensitive values. For an imported object, Terraform marks no old value as
// sensitive. Therefore plan replaces a value if the same value is marked as sensitive either before or after the change. A value that is
// marked as sensitive somewhere is replaced everywhere, because a computed attribute that repeats the value has no mark.
func (r redactor) plan(plan *tfjson.Plan) {
	plan.Variables, plan.PlannedValues, plan.PriorState, plan.Config, plan.Checks = nil, nil, nil, nil, nil
	changes := changesIn(plan)
	var secrets []string
	for _, change := range changes {
		for _, side := range []any{change.Before, change.After} {
			secrets = append(secrets, marked(side, change.BeforeSensitive, change.AfterSensitive)...)
		}
	}
	for _, invocation := range plan.ActionInvocations {
		secrets = append(secrets, marked(invocation.ConfigValues, invocation.ConfigSensitive)...)
	}
	r.scrub = r.scrub.with(secrets)
	for _, change := range changes {
		r.change(change)
	}
	for _, invocation := range plan.ActionInvocations {
		invocation.ConfigValues = r.value(invocation.ConfigValues, invocation.ConfigSensitive)
	}
}

// changesIn returns the changes of all resources and outputs in a plan.
func changesIn(plan *tfjson.Plan) []*tfjson.Change {
	resources := slices.Concat(plan.ResourceChanges, plan.ResourceDrift)
	for _, deferred := range plan.DeferredChanges {
		if deferred.ResourceChange != nil {
			resources = append(resources, deferred.ResourceChange)
		}
	}
	changes := slices.Collect(maps.Values(plan.OutputChanges))
	for _, resource := range resources {
		changes = append(changes, resource.Change)
	}
	return slices.DeleteFunc(changes, func(change *tfjson.Change) bool { return change == nil })
}

// marked returns the strings in the parts of a value that marks declare as sensitive. It leaves out short strings, because other values
// could contain them by chance.
func marked(value any, marks ...any) []string {
	var found []string
	switch value := value.(type) {
	case string:
		if isMarked(marks) && len(value) >= minSecretLine {
			found = append(found, value)
		}
	case []any:
		for i := range value {
			found = append(found, marked(value[i], elements(marks, i)...)...)
		}
	case map[string]any:
		for name := range value {
			found = append(found, marked(value[name], members(marks, name)...)...)
		}
	}
	return found
}

func (r redactor) change(change *tfjson.Change) {
	changed := changedNames(change)
	for _, side := range []*any{&change.Before, &change.After} {
		*side = r.value(*side, change.BeforeSensitive, change.AfterSensitive)
	}
	for _, identity := range []*any{&change.BeforeIdentity, &change.AfterIdentity} {
		*identity = r.value(*identity)
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

// value replaces the sensitive parts of a JSON value. Each of marks is a tree of booleans, as in the JSON form of a plan, that is true for
// sensitive parts. Attributes in sensitiveAttributes are sensitive regardless of marks.
func (r redactor) value(value any, marks ...any) any {
	if value == nil {
		return nil
	}
	if isMarked(marks) {
		return r.mark(value)
	}
	switch value := value.(type) {
	case string:
		if anyMark.MatchString(value) {
			return strconv.Quote(value)
		}
		return r.scrub.text(value)
	case []any:
		for i := range value {
			value[i] = r.value(value[i], elements(marks, i)...)
		}
	case map[string]any:
		for name, inner := range value {
			if isSensitiveAttribute(name) && !isZero(inner) {
				value[name] = r.mark(inner)
				continue
			}
			value[name] = r.value(inner, members(marks, name)...)
		}
	}
	return value
}

// isMarked reports whether one of marks declares a complete value as sensitive.
func isMarked(marks []any) bool { return slices.Contains(marks, any(true)) }

// elements returns the marks of the list element with the given index. A mark of the complete list applies to all elements.
func elements(marks []any, index int) []any {
	var inner []any
	for _, mark := range marks {
		if mark == true {
			inner = append(inner, true)
		}
		if list, ok := mark.([]any); ok && index < len(list) {
			inner = append(inner, list[index])
		}
	}
	return inner
}

// members returns the marks of the object member with the given name. A mark of the complete object applies to all members.
func members(marks []any, name string) []any {
	var inner []any
	for _, mark := range marks {
		if mark == true {
			inner = append(inner, true)
		}
		if object, ok := mark.(map[string]any); ok {
			inner = append(inner, object[name])
		}
	}
	return inner
}

// mark returns the mark that replaces a sensitive value. The fingerprint shows whether a value changes. Without the key, nobody can compare
// it with a guessed value.
func (r redactor) mark(value any) string {
	if len(r.key) == 0 {
		return sensitiveMark
	}
	// Marshalling a JSON value cannot fail.
	content, _ := json.Marshal(value)
	fingerprint := hmac.New(sha256.New, r.key)
	fingerprint.Write([]byte("sensitive value\n")) // another use of the same key must not have the same result
	fingerprint.Write(content)
	return fmt.Sprintf("(sensitive value %x)", fingerprint.Sum(nil)[:6])
}

// isZero reports whether a value contains nothing: it is null, empty, zero or false.
func isZero(value any) bool {
	switch value := value.(type) {
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return value == nil || value == "" || value == false
	}
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
