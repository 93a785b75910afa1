package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Load reads a configuration file; see Parse.
func Load(path string) (Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	config, err := Parse(content)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	return config, nil
}

// Parse reads JSON or YAML and sets defaults. Fields that are unknown, values of a wrong type and values that make no sense
// are reported all at once, each with its path. Names of fields are case-sensitive.
func Parse(content []byte) (Config, error) {
	tree, err := decode(content)
	if err != nil {
		return Config{}, err
	}
	sound, misshapen := checkShape(tree)
	text, err := json.Marshal(sound)
	if err != nil {
		return Config{}, fmt.Errorf("encoding the fields: %w", err)
	}
	var config Config
	if err := json.Unmarshal(text, &config); err != nil {
		return Config{}, fmt.Errorf("decoding the fields: %w", err)
	}
	config.Default()
	problems := append(misshapen, beside(misshapen, config.Validate())...)
	if len(problems) > 0 {
		return Config{}, &InvalidError{Problems: problems}
	}
	return config, nil
}

// InvalidError is everything that is wrong with a configuration.
type InvalidError struct{ Problems field.ErrorList }

func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		texts[i] = problem.Error()
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return fmt.Sprintf("%d problems: %s", len(texts), strings.Join(texts, "; "))
}

// decode reads JSON or YAML into maps, slices and scalars. A key that occurs twice in an object is an error.
func decode(content []byte) (map[string]any, error) {
	content = bytes.TrimSpace(content)
	if len(content) == 0 {
		return nil, errors.New("it is empty: prismCentral is needed at least")
	}
	// JSON is nearly YAML: tabs are not, so that JSON is read as what it is.
	if content[0] != '{' {
		converted, err := yaml.YAMLToJSONStrict(content)
		if err != nil {
			return nil, fmt.Errorf("parsing YAML: %w", err)
		}
		content = converted
	}
	var tree any
	repeated, err := kjson.UnmarshalStrict(content, &tree, kjson.DisallowDuplicateFields)
	if err != nil {
		return nil, fmt.Errorf("parsing JSON: %w", at(content, err))
	}
	if len(repeated) > 0 {
		return nil, fmt.Errorf("parsing JSON: %w", errors.Join(repeated...))
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("parsing: an object with the field prismCentral is needed, not %s", kindOf(tree))
	}
	return object, nil
}

// at adds the line to a syntax error.
func at(content []byte, err error) error {
	is, offset := kjson.SyntaxErrorOffset(err)
	if !is || offset < 0 || offset > int64(len(content)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(content[:offset], []byte("\n")), err)
}

// beside leaves out what is said about a field that is reported already, or about a part of it.
func beside(reported, errs field.ErrorList) field.ErrorList {
	var rest field.ErrorList
	for _, err := range errs {
		repeated := false
		for _, r := range reported {
			repeated = repeated || within(err.Field, r.Field)
		}
		if !repeated {
			rest = append(rest, err)
		}
	}
	return rest
}

// within reports whether a path is that other one or below it.
func within(path, other string) bool {
	if len(path) < len(other) || path[:len(other)] != other {
		return false
	}
	rest := path[len(other):]
	return rest == "" || rest[0] == '.' || rest[0] == '['
}
