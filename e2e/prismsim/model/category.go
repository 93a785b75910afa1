package model

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const (
	MaxCategoryName = 64
	MaxDescription  = 1000
)

// CategoryKey is a category key with its values in order of creation.
type CategoryKey struct {
	Name        string
	Description *string
	Values      Collection[CategoryValue]
}

// CategoryValue is a value of a category key.
type CategoryValue struct {
	UUID        string // ID in the v4 API
	Value       string
	Description *string
	Revision    Revision
}

// Category returns the category key with the name, or nil if it does not exist.
func (pc *Central) Category(name string) *CategoryKey {
	return Find(pc.Categories.All, func(c *CategoryKey) bool { return c.Name == name })
}

// Value returns the value of the key, or nil if it does not exist. The key may be nil.
func (c *CategoryKey) Value(value string) *CategoryValue {
	if c == nil {
		return nil
	}
	return Find(c.Values.All, func(v *CategoryValue) bool { return v.Value == value })
}

// HasCategory reports whether the category with the key and the value exists.
func (pc *Central) HasCategory(key, value string) bool { return pc.Category(key).Value(value) != nil }

// AddCategory adds a category key with values. If the key exists, AddCategory adds the values to it.
func (pc *Central) AddCategory(c inventory.Category) {
	key := pc.Category(c.Key)
	if key == nil {
		key = &CategoryKey{Name: c.Key}
		pc.Categories.Add(key)
	}
	if c.Description != "" {
		key.Description = new(c.Description)
	}
	for _, v := range c.Values {
		if key.Value(v) == nil {
			pc.NewCategoryValue(key, v)
		}
	}
}

// CategoryViews returns all keys with their values, in order of creation.
func (pc *Central) CategoryViews() []inventory.Category {
	out := []inventory.Category{}
	for _, key := range pc.Categories.All {
		c := inventory.Category{Key: key.Name, Description: wire.OrZero(key.Description), Values: []string{}}
		for _, v := range key.Values.All {
			c.Values = append(c.Values, v.Value)
		}
		out = append(out, c)
	}
	return out
}

// Assigned returns the VMs to which a category is assigned.
func (pc *Central) Assigned(key, value string) []*VM {
	var out []*VM
	for _, m := range pc.VMs.All {
		if m.Categories.Has(key, value) {
			out = append(out, m)
		}
	}
	return out
}

// NewCategoryValue adds a value to a category key. The ID of the value depends only on key and value. If another
// category already has that ID, the ID is random.
func (pc *Central) NewCategoryValue(key *CategoryKey, value string) *CategoryValue {
	id := inventory.DeriveUUID("category", key.Name+"/"+value)
	if _, taken := pc.CategoryByID(id); taken != nil {
		id = uuid.NewString()
	}
	added := &CategoryValue{UUID: id, Value: value}
	key.Values.Add(added)
	return added
}

// CategoryByID returns the key and the value of the category with the v4 ID id. Both are nil if the category does not
// exist.
func (pc *Central) CategoryByID(id string) (*CategoryKey, *CategoryValue) {
	for _, key := range pc.Categories.All {
		if v := Find(key.Values.All, func(v *CategoryValue) bool { return v.UUID == id }); v != nil {
			return key, v
		}
	}
	return nil, nil
}

// ChangeCategory changes the value and the description of a category. VMs and Prism Elements to which the category is
// assigned have the new value.
func (pc *Central) ChangeCategory(key *CategoryKey, v *CategoryValue, value string, description *string) {
	rename := func(assigned map[string][]string) {
		if i := slices.Index(assigned[key.Name], v.Value); i >= 0 {
			assigned[key.Name] = slices.Clone(assigned[key.Name])
			assigned[key.Name][i] = value
		}
	}
	for _, m := range pc.VMs.All {
		rename(m.Categories)
	}
	for _, pe := range pc.PrismElements {
		rename(pe.Categories)
	}
	v.Value, v.Description = value, description
	v.Revision++
}

// CategoryIDs returns the v4 IDs of the assigned categories in the order in which the categories were created.
func (pc *Central) CategoryIDs(assigned Categories) []string {
	ids := []string{}
	for _, key := range pc.Categories.All {
		for _, v := range key.Values.All {
			if assigned.Has(key.Name, v.Value) {
				ids = append(ids, v.UUID)
			}
		}
	}
	return ids
}

// AssignedPrismElements returns the Prism Elements to which a category is assigned.
func (pc *Central) AssignedPrismElements(key, value string) []*inventory.PrismElement {
	var out []*inventory.PrismElement
	for _, pe := range pc.PrismElements {
		if slices.Contains(pe.Categories[key], value) {
			out = append(out, pe)
		}
	}
	return out
}

// AssignToPrismElement replaces the categories of a Prism Element. Categories that do not exist are created.
func (pc *Central) AssignToPrismElement(pe *inventory.PrismElement, categories map[string][]string) {
	for _, key := range slices.Sorted(maps.Keys(categories)) {
		pc.AddCategory(inventory.Category{Key: key, Values: categories[key]})
	}
	pe.Categories = maps.Clone(categories)
}

// AddStrings returns have with the strings of more that it does not contain yet.
func AddStrings(have, more []string) []string {
	for _, attribute := range more {
		if !slices.Contains(have, attribute) {
			have = append(have, attribute)
		}
	}
	return have
}

// RemoveStrings returns have without the strings in less.
func RemoveStrings(have, less []string) []string {
	return slices.DeleteFunc(have, func(attribute string) bool { return slices.Contains(less, attribute) })
}
