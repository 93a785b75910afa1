package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkShape compares decoded JSON with the type Config: fields that it does not know and values of another type. It gives
// what is left without those, which decodes into a Config.
func checkShape(tree map[string]any) (sound any, errs field.ErrorList) {
	sound, _ = shape(tree, reflect.TypeFor[Config](), nil, &errs)
	return sound, errs
}

// shape gives the sound part of a value, and whether anything of it is sound.
func shape(value any, t reflect.Type, path *field.Path, errs *field.ErrorList) (any, bool) {
	if value == nil { // as if it were not there, as encoding/json has it
		return nil, true
	}
	if t == reflect.TypeFor[metav1.Duration]() {
		return duration(value, path, errs)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shape(value, t.Elem(), path, errs)
	case reflect.Struct:
		return object(value, t, path, errs)
	case reflect.Map:
		return mapping(value, t.Elem(), path, errs)
	case reflect.Slice:
		return list(value, t.Elem(), path, errs)
	default:
		return scalar(value, t, path, errs)
	}
}

func object(value any, t reflect.Type, path *field.Path, errs *field.ErrorList) (any, bool) {
	given, ok := value.(map[string]any)
	if !ok {
		return wrong(value, "an object", path, errs)
	}
	known := fieldsOf(t)
	sound := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		below, ok := known[name]
		if !ok {
			*errs = append(*errs, unknown(name, slices.Sorted(maps.Keys(known)), path))
			continue
		}
		if part, ok := shape(given[name], below, path.Child(name), errs); ok {
			sound[name] = part
		}
	}
	return sound, true
}

func mapping(value any, t reflect.Type, path *field.Path, errs *field.ErrorList) (any, bool) {
	given, ok := value.(map[string]any)
	if !ok {
		return wrong(value, "an object", path, errs)
	}
	sound := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if part, ok := shape(given[name], t, path.Key(name), errs); ok {
			sound[name] = part
		}
	}
	return sound, true
}

func list(value any, t reflect.Type, path *field.Path, errs *field.ErrorList) (any, bool) {
	given, ok := value.([]any)
	if !ok {
		return wrong(value, "a list", path, errs)
	}
	sound := []any{}
	for i, element := range given {
		if part, ok := shape(element, t, path.Index(i), errs); ok {
			sound = append(sound, part)
		}
	}
	return sound, true
}

func duration(value any, path *field.Path, errs *field.ErrorList) (any, bool) {
	text, ok := value.(string)
	if !ok {
		return wrong(value, `a duration such as "30s"`, path, errs)
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		*errs = append(*errs, field.Invalid(path, text, `a duration such as "30s", "10m" or "1h30m" is needed`))
		return nil, false
	}
	if length == 0 {
		return zero(path, errs)
	}
	return value, true
}

// scalar leaves it to encoding/json whether a value fits, numbers that are too large for their type included.
func scalar(value any, t reflect.Type, path *field.Path, errs *field.ErrorList) (any, bool) {
	text, err := json.Marshal(value)
	read := reflect.New(t)
	if err != nil || json.Unmarshal(text, read.Interface()) != nil {
		return wrong(value, nameOf(t), path, errs)
	}
	if number := read.Elem(); (number.CanInt() || number.CanFloat()) && number.IsZero() {
		return zero(path, errs)
	}
	return value, true
}

// zero refuses a 0, which no number and no time may be, and which could not be told any more from what is not given.
func zero(path *field.Path, errs *field.ErrorList) (any, bool) {
	*errs = append(*errs, field.TypeInvalid(path, field.OmitValueType{}, "0 is not possible: leave it out for the default"))
	return nil, false
}

func wrong(value any, want string, path *field.Path, errs *field.ErrorList) (any, bool) {
	*errs = append(*errs, field.TypeInvalid(path, field.OmitValueType{}, fmt.Sprintf("%s is needed, not %s", want, kindOf(value))))
	return nil, false
}

// fieldsOf gives the JSON names of the fields of a struct and their types.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
	}
	return fields
}

func nameOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	default:
		return "a number"
	}
}

func kindOf(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}
