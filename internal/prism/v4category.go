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

type category struct{ uuid, key, value string }

func (a apiV4) categories(where ...prismv4.Condition) lookUp[[]category] {
	return v4Kind[v4Category, category]{prismv4.Prism, "/config/categories", (*v4Category).key, func(in *v4Category) category {
		return category{strings.ToLower(in.ExtID), in.Key, in.Value}
	}}.lookUp(a, identifier{}, where...)
}

func (a apiV4) category(key, value string) lookUp[bool] {
	request := a.categories(prismv4.Equals("key", key), prismv4.Equals("value", value))
	return lookUp[bool]{key: request.key, read: func(ctx context.Context, c *Client) (bool, error) {
		found, err := request.read(ctx, c)
		return slices.ContainsFunc(found, func(category category) bool { return category.key == key && category.value == value }), err
	}}
}

// maxCategories is the maximum number of categories that are read by UUID. The list of all categories needs fewer requests than more would.
const maxCategories = 50

// categorize sets the categories of VMs. The keys and values of categories are cached, but not which categories a VM has. A category that the
// account cannot see is left out.
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
		for _, uuid := range in.categories {
			if category, known := categories[uuid]; known {
				vm.CategoryValues[category.key] = append(vm.CategoryValues[category.key], category.value)
			}
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
func (a apiV4) categoriesOf(ctx context.Context, uuids []string) (map[string]category, error) {
	if len(uuids) == 0 {
		return nil, nil
	}
	var where prismv4.Condition
	if len(uuids) <= maxCategories {
		where = prismv4.In("extId", uuids...)
	}
	// An unknown category may be new, so find reads again unless the response is new, too.
	missing := &NotFoundError{Kind: "category"}
	categories, err := find(ctx, a.Client, a.categories(where), func(list []category) (map[string]category, error) {
		byUUID := map[string]category{}
		for _, category := range list {
			byUUID[category.uuid] = category
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
