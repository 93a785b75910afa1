package prism

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/prismv4"
)

type v4Category struct {
	v4Entity
	Key   string `json:"key"`
	Value string `json:"value"`
}

// v4Categories is the kind of categories.
var v4Categories = v4Kind[v4Category, Category]{prismv4.Prism, "/config/categories", (*v4Category).key, func(in *v4Category) Category {
	return Category{strings.ToLower(in.ExtID), in.Key, in.Value}
}}

func (a apiV4) categories(where ...prismv4.Condition) lookUp[[]Category] {
	return v4Categories.lookUp(a, identifier{}, where...)
}

func (a apiV4) category(key, value string) lookUp[*Category] {
	request := a.categories(prismv4.Equals("key", key), prismv4.Equals("value", value))
	return lookUp[*Category]{key: request.key, read: func(ctx context.Context, c *Client) (*Category, error) {
		found, err := request.read(ctx, c)
		i := slices.IndexFunc(found, func(category Category) bool { return category.Key == key && category.Value == value })
		if err != nil || i < 0 {
			return nil, err
		}
		return &found[i], nil
	}}
}

// maxCategories is the maximum number of categories that are read by UUID. The list of all categories needs fewer requests than more would.
const maxCategories = 50

// categorize sets the categories of VMs. The keys and values of categories are cached, but not which categories a VM has. The maps of a VM
// leave out a category that the account cannot see.
func (a apiV4) categorize(ctx context.Context, found []uncategorized) ([]VM, error) {
	var uuids []string
	for _, vm := range found {
		uuids = append(uuids, vm.categories...)
	}
	slices.Sort(uuids)
	categories, err := a.categoriesOf(ctx, slices.Compact(uuids))
	if err != nil {
		return nil, err
	}
	vms := make([]VM, 0, len(found))
	for _, in := range found {
		vm := in.VM
		vm.Categories, vm.CategoryValues = map[string]string{}, map[string][]string{}
		slices.Sort(in.categories)
		for _, uuid := range in.categories {
			category, known := categories[uuid]
			if known {
				vm.CategoryValues[category.Key] = append(vm.CategoryValues[category.Key], category.Value)
			}
			vm.AllCategories = append(vm.AllCategories, Category{uuid, category.Key, category.Value})
		}
		for key, values := range vm.CategoryValues {
			slices.Sort(values)
			vm.Categories[key] = values[0]
		}
		vms = append(vms, vm)
	}
	return sortByUUID(vms), nil
}

// categoriesOf returns the categories with the given UUIDs that the account can see.
func (a apiV4) categoriesOf(ctx context.Context, uuids []string) (map[string]Category, error) {
	if len(uuids) == 0 {
		return nil, nil
	}
	var where prismv4.Condition
	if len(uuids) <= maxCategories {
		where = prismv4.In("extId", uuids...)
	}
	// An unknown category may be new, so find reads again unless the response is new, too.
	missing := &NotFoundError{Kind: KindCategory}
	categories, err := find(ctx, a.Client, a.categories(where), func(list []Category) (map[string]Category, error) {
		byUUID := map[string]Category{}
		for _, category := range list {
			byUUID[category.UUID] = category
		}
		for _, uuid := range uuids {
			if _, found := byUUID[uuid]; !found {
				return byUUID, missing
			}
		}
		return byUUID, nil
	})
	if errors.Is(err, missing) {
		err = nil
	}
	return categories, err
}
