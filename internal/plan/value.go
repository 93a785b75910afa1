package plan

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// sensitiveMark replaces a sensitive value. Package terraform replaces the values of a plan, and adds a keyed fingerprint to the mark.
const sensitiveMark = "(sensitive value)"

// anySensitiveMark matches sensitiveMark with and without a fingerprint.
var anySensitiveMark = regexp.MustCompile(`^\(sensitive value( [0-9a-f]{12}| that changes)?\)$`)

// rendered returns a value as a record contains it: a string as it is, any other value as JSON. It returns nil for null.
func rendered(value any) *string {
	if value == nil {
		return nil
	}
	if text, ok := value.(string); ok {
		return &text
	}
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // encoding a JSON value cannot fail
	text := string(bytes.TrimSpace(content.Bytes()))
	return &text
}

// isZero reports whether a value is null, empty, zero or false.
func isZero(value any) bool {
	switch value := value.(type) {
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	case json.Number:
		number, err := value.Float64()
		return err == nil && number == 0
	default:
		return value == nil || value == "" || value == false || value == 0.0
	}
}

// withoutFingerprints returns a copy of a value in which sensitive values are equal. So a digest does not depend on the key of the
// fingerprints, and not on secrets such as the bootstrap data, which differ each time.
func withoutFingerprints(value any) any {
	switch value := value.(type) {
	case string:
		if anySensitiveMark.MatchString(value) {
			return sensitiveMark
		}
	case []any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = withoutFingerprints(value[i])
		}
		return list
	case map[string]any:
		members := make(map[string]any, len(value))
		for name := range value {
			members[name] = withoutFingerprints(value[name])
		}
		return members
	}
	return value
}

// without returns a copy of the value at path that does not contain the attributes for which leave is true.
func without(value any, path string, leave func(path string) bool) any {
	if leave(path) {
		return nil
	}
	switch value := value.(type) {
	case []any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = without(value[i], path, leave)
		}
		return list
	case map[string]any:
		members := map[string]any{}
		for name := range value {
			if inner := joined(path, name); !leave(inner) {
				members[name] = without(value[name], inner, leave)
			}
		}
		return members
	}
	return value
}
