package display

import (
	"encoding/json"
	"strconv"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// segment is one part of an attribute path: the name of an attribute or the index of a list element.
type segment struct {
	name  string
	index int // of a list element if name is empty
}

// parsePath splits an attribute path such as `nic_list[0].subnet_uuid`. Keys of maps may also be in brackets and quotes.
func parsePath(path string) []segment {
	var segments []segment
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			key, rest, _ := strings.Cut(path[1:], "]")
			path = rest
			if index, err := strconv.Atoi(key); err == nil && index >= 0 {
				segments = append(segments, segment{index: index})
			} else {
				segments = append(segments, segment{name: strings.Trim(key, `"`)})
			}
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			segments = append(segments, segment{name: path[:end]})
			path = path[end:]
		}
	}
	return segments
}

// side is one side of a change.
type side int

const (
	before side = iota
	after
)

// text returns the recorded value of an attribute before or after the change. ok is false if the value is not set or unknown.
func (s side) text(attribute infrav1.PlannedAttribute) (text string, ok bool) {
	value := attribute.After
	if s == before {
		value = attribute.Before
	}
	if value == nil {
		return "", false
	}
	return *value, true
}

// maxIndex is the largest list index for which nested makes elements. Prism has far fewer disks, network interfaces and categories per VM.
const maxIndex = 1023

// nested returns the recorded values of one side as nested objects and lists. List elements without a recorded value are nil. leaf
// converts the recorded values.
func nested(attributes []infrav1.PlannedAttribute, s side, leaf func(string) any) map[string]any {
	root := map[string]any{}
	for _, attribute := range attributes {
		if text, ok := s.text(attribute); ok {
			if segments := parsePath(attribute.Path); len(segments) > 0 && segments[0].name != "" {
				insert(root, segments, leaf(text))
			}
		}
	}
	return root
}

// insert returns container with leaf at segments below it. It replaces a container of the wrong type.
func insert(container any, segments []segment, leaf any) any {
	if len(segments) == 0 {
		return leaf
	}
	first, rest := segments[0], segments[1:]
	if first.name != "" {
		object, ok := container.(map[string]any)
		if !ok {
			object = map[string]any{}
		}
		object[first.name] = insert(object[first.name], rest, leaf)
		return object
	}
	list, _ := container.([]any)
	if first.index > maxIndex {
		return list
	}
	for len(list) <= first.index {
		list = append(list, nil)
	}
	list[first.index] = insert(list[first.index], rest, leaf)
	return list
}

// asText keeps a recorded value as it is.
func asText(text string) any { return text }

// asJSON parses a recorded value. A record contains strings as they are and any other value as JSON, so a string that looks like JSON
// is parsed, too.
func asJSON(text string) any {
	var value any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return text
	}
	if _, isString := value.(string); isString {
		return text
	}
	return value
}

// lookup returns the text at a path below value, or an empty string. Blocks of the provider are lists with one element; lookup enters
// them without an index.
func lookup(value any, names ...string) string {
	for _, name := range names {
		value = single(value)
		object, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = object[name]
	}
	text, _ := single(value).(string)
	return text
}

func single(value any) any {
	if list, ok := value.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return value
}
