package nutanix

import (
	"context"

	prism "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

// ListCategories implements Categories.
func (c *Client) ListCategories(ctx context.Context, key string) ([]Category, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[prism.Category, Category]{
		Operation: "ListCategories", Namespace: prismv4.Prism, Path: "/config/categories", Where: []prismv4.Condition{prismv4.Equals("key", key)},
		Keep: func(category *Category) bool { return key == "" || category.Key == key },
		Key:  func(category *prism.Category) string { return lower(category.ExtId) },
		Item: func(in *prism.Category) Category {
			return Category{UUID: lower(in.ExtId), Key: ptr.Deref(in.Key, ""), Value: ptr.Deref(in.Value, "")}
		},
	})
}
