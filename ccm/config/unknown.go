package config

import (
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// unknown is the error about a field that does not exist, with the name that was probably meant.
func unknown(name string, known []string, path *field.Path) *field.Error {
	detail := "unknown field; known are " + strings.Join(known, ", ")
	if near := nearest(name, known); near != "" {
		detail = fmt.Sprintf("unknown field; is %s meant?", path.Child(near))
	} else if place := find(name, reflect.TypeFor[Config](), nil); place != nil {
		detail = fmt.Sprintf("unknown field; is %s meant?", place)
	}
	return &field.Error{Type: field.ErrorTypeForbidden, Field: path.Child(name).String(), Detail: detail}
}

// nearest gives the known name that differs in case only, or in at most two letters; "" when there is none.
func nearest(name string, known []string) string {
	best, distance := "", 3
	for _, candidate := range known {
		if d := edits(strings.ToLower(name), strings.ToLower(candidate)); d < distance && d < len(candidate)/2 {
			best, distance = candidate, d
		}
	}
	return best
}

// find gives the first place in the configuration that has a field of that name, nil when there is none.
func find(name string, t reflect.Type, path *field.Path) *field.Path {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[metav1.Duration]() {
		return nil
	}
	if _, ok := fieldsOf(t)[name]; ok {
		return path.Child(name)
	}
	for f := range t.Fields() {
		below, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if place := find(name, f.Type, path.Child(below)); place != nil {
			return place
		}
	}
	return nil
}

// edits is the number of letters to insert, delete or replace to make one text of the other (Levenshtein distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
