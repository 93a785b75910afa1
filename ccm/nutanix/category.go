package nutanix

import (
	"context"

	prism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	"k8s.io/utils/ptr"
)

// ListCategories implements Categories.
func (c *Client) ListCategories(ctx context.Context, key string) ([]Category, error) {
	found, err := listAll(ctx, c, listing[prism.Category]{
		operation: "ListCategories", namespace: namespacePrism, path: "/config/categories", where: []condition{equals("key", key)},
		keep: func(category *prism.Category) bool { return key == "" || ptr.Deref(category.Key, "") == key },
		key:  func(category *prism.Category) string { return lower(category.ExtId) },
	})
	if err != nil {
		return nil, err
	}
	return convert(found, func(in *prism.Category) Category {
		return Category{UUID: lower(in.ExtId), Key: ptr.Deref(in.Key, ""), Value: ptr.Deref(in.Value, "")}
	}), nil
}
