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

// CategoryKey is a category with its values in order of creation.
type CategoryKey struct {
	Name        string
	Description *string
	Values      Collection[CategoryValue]
}

type CategoryValue struct {
	UUID        string // of the v4 API
	Value       string
	Description *string
}

func (e *Central) Category(name string) *CategoryKey {
	return Find(e.Categories.All, func(c *CategoryKey) bool { return c.Name == name })
}

func (c *CategoryKey) Value(value string) *CategoryValue {
	if c == nil {
		return nil
	}
	return Find(c.Values.All, func(v *CategoryValue) bool { return v.Value == value })
}

func (e *Central) HasCategory(key, value string) bool { return e.Category(key).Value(value) != nil }

func (e *Central) AddCategory(c inventory.Category) {
	key := e.Category(c.Key)
	if key == nil {
		key = &CategoryKey{Name: c.Key}
		e.Categories.Add(key)
	}
	if c.Description != "" {
		key.Description = new(c.Description)
	}
	for _, v := range c.Values {
		if key.Value(v) == nil {
			e.NewCategoryValue(key, v)
		}
	}
}

// CategoryViews returns all keys with their values, in order of creation.
func (e *Central) CategoryViews() []inventory.Category {
	out := []inventory.Category{}
	for _, key := range e.Categories.All {
		c := inventory.Category{Key: key.Name, Description: wire.OrZero(key.Description), Values: []string{}}
		for _, v := range key.Values.All {
			c.Values = append(c.Values, v.Value)
		}
		out = append(out, c)
	}
	return out
}

// Assigned gives the VMs of a category.
func (e *Central) Assigned(key, value string) []*VM {
	var out []*VM
	for _, m := range e.VMs.All {
		if m.Categories.Has(key, value) {
			out = append(out, m)
		}
	}
	return out
}

// NewCategoryValue makes a value of a key. Its ID is the same for the same key and value, in every API, unless that ID is
// taken.
func (e *Central) NewCategoryValue(key *CategoryKey, value string) *CategoryValue {
	id := inventory.DeriveUUID("category", key.Name+"/"+value)
	if _, taken := e.CategoryByID(id); taken != nil {
		id = uuid.NewString()
	}
	added := &CategoryValue{UUID: id, Value: value}
	key.Values.Add(added)
	return added
}

func (e *Central) CategoryByID(id string) (*CategoryKey, *CategoryValue) {
	for _, key := range e.Categories.All {
		if v := Find(key.Values.All, func(v *CategoryValue) bool { return v.UUID == id }); v != nil {
			return key, v
		}
	}
	return nil, nil
}

// CategoryIDs returns the IDs of the assigned categories in the order of their creation.
func (e *Central) CategoryIDs(assigned Categories) []string {
	ids := []string{}
	for _, key := range e.Categories.All {
		for _, v := range key.Values.All {
			if assigned.Has(key.Name, v.Value) {
				ids = append(ids, v.UUID)
			}
		}
	}
	return ids
}

func (e *Central) AssignedPrismElements(key, value string) []*inventory.PrismElement {
	var out []*inventory.PrismElement
	for _, pe := range e.PrismElements {
		if slices.Contains(pe.Categories[key], value) {
			out = append(out, pe)
		}
	}
	return out
}

// AssignToPrismElement assigns categories to a Prism Element and makes those that are missing, in the order of their keys.
func (e *Central) AssignToPrismElement(pe *inventory.PrismElement, categories map[string][]string) {
	for _, key := range slices.Sorted(maps.Keys(categories)) {
		e.AddCategory(inventory.Category{Key: key, Values: categories[key]})
	}
	pe.Categories = maps.Clone(categories)
}

func AddStrings(have, more []string) []string {
	for _, attribute := range more {
		if !slices.Contains(have, attribute) {
			have = append(have, attribute)
		}
	}
	return have
}

func RemoveStrings(have, less []string) []string {
	return slices.DeleteFunc(have, func(attribute string) bool { return slices.Contains(less, attribute) })
}
