package model

import (
	"maps"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Categories contains the category values of a VM by key, in the order of their assignment. A VM may have several
// values of a key. In v3, metadata.categories contains the first value and metadata.categories_mapping contains all
// values.
type Categories map[string][]string

// Has reports whether the category with the key and the value is assigned.
func (c Categories) Has(key, value string) bool { return slices.Contains(c[key], value) }

// First returns the first value of each key.
func (c Categories) First() map[string]string {
	out := map[string]string{}
	for key, values := range c {
		if len(values) > 0 {
			out[key] = values[0]
		}
	}
	return out
}

// several returns the keys with more than one value and all values of these keys.
func (c Categories) several() map[string][]string {
	out := c.Clone()
	maps.DeleteFunc(out, func(_ string, values []string) bool { return len(values) < 2 })
	return out
}

// Clone returns a deep copy.
func (c Categories) Clone() map[string][]string {
	out := make(map[string][]string, len(c))
	for key, values := range c {
		out[key] = slices.Clone(values)
	}
	return out
}

// Set replaces the values of a key. If values is empty, Set removes the key.
func (c Categories) Set(key string, values []string) {
	if len(values) == 0 {
		delete(c, key)
		return
	}
	c[key] = slices.Clone(values)
}

// wantedCategories returns the categories in a request. A request contains them in the field categories or in the field
// categories_mapping.
func wantedCategories(m *wire.Metadata) Categories {
	out := Categories{}
	if m.UseMapping {
		for key, values := range m.Mapping {
			out.Set(key, values)
		}
		return out
	}
	for key, value := range m.Categories {
		out[key] = []string{value}
	}
	return out
}

// merge returns the categories of a VM after a request.
func (r Rules) merge(before Categories, request *wire.Metadata) Categories {
	out := wantedCategories(request)
	if request.UseMapping || !r.KeepCategoryValues {
		return out
	}
	for key := range maps.Keys(out) {
		if before.Has(key, out[key][0]) {
			out[key] = slices.Clone(before[key])
		}
	}
	return out
}
