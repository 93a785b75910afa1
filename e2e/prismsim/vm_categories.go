package prismsim

import (
	"maps"
	"slices"
)

// assignedCategories are the categories of a VM: values by key, in the order of their assignment. A VM may have several values
// of a key. In v3 metadata.categories shows the first one and metadata.categories_mapping all.
type assignedCategories map[string][]string

func (c assignedCategories) has(key, value string) bool { return slices.Contains(c[key], value) }

// first returns the first value of each key.
func (c assignedCategories) first() map[string]string {
	out := map[string]string{}
	for key, values := range c {
		if len(values) > 0 {
			out[key] = values[0]
		}
	}
	return out
}

// several returns the values of the keys of which there are more than one.
func (c assignedCategories) several() map[string][]string {
	out := c.clone()
	maps.DeleteFunc(out, func(_ string, values []string) bool { return len(values) < 2 })
	return out
}

func (c assignedCategories) clone() map[string][]string {
	out := make(map[string][]string, len(c))
	for key, values := range c {
		out[key] = slices.Clone(values)
	}
	return out
}

// set replaces the values of a key. No values remove the key.
func (c assignedCategories) set(key string, values []string) {
	if len(values) == 0 {
		delete(c, key)
		return
	}
	c[key] = slices.Clone(values)
}

// wantedCategories returns the categories that a request asks for, in whichever of the two forms it has them.
func wantedCategories(m *metadata) assignedCategories {
	out := assignedCategories{}
	if m.UseMapping {
		for key, values := range m.Mapping {
			out.set(key, values)
		}
		return out
	}
	for key, value := range m.Categories {
		out[key] = []string{value}
	}
	return out
}

// merge returns the categories that a VM has after a request.
func (r Rules) merge(before assignedCategories, request *metadata) assignedCategories {
	out := wantedCategories(request)
	if request.UseMapping || !r.KeepCategoryValues {
		return out
	}
	for key := range maps.Keys(out) {
		if before.has(key, out[key][0]) {
			out[key] = slices.Clone(before[key])
		}
	}
	return out
}
