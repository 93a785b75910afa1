package nutanix

import (
	"context"

	prism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	"k8s.io/utils/ptr"
)

// ListCategories implements Categories.
func (c *Client) ListCategories(ctx context.Context, key string) ([]Category, error) {
	return listAll(ctx, c, listing[prism.Category, Category]{
		operation: "ListCategories", namespace: namespacePrism, path: "/config/categories", where: []condition{equals("key", key)},
		keep: func(category *Category) bool { return key == "" || category.Key == key },
		key:  func(category *prism.Category) string { return lower(category.ExtId) },
		item: func(in *prism.Category) Category {
			return Category{UUID: lower(in.ExtId), Key: ptr.Deref(in.Key, ""), Value: ptr.Deref(in.Value, "")}
		},
	})
}
