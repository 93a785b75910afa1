package prism

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// KindCategory is the kind that errors about categories name.
const KindCategory = "category"

// Category is a category: a pair of a key and a value.
type Category struct {
	// UUID identifies the category. It is empty through the v3 API, which identifies a category by its key and value.
	UUID       string
	Key, Value string
}

// Category returns the category with the given key and value, or nil if it does not exist.
func (c *Client) Category(ctx context.Context, key, value string) (*Category, error) {
	if key == "" || value == "" {
		return nil, &InvalidError{Field: "categories", Reason: "key and value must be set"}
	}
	missing := &NotFoundError{Kind: KindCategory}
	found, err := find(ctx, c, c.api.category(key, value), func(found *Category) (*Category, error) {
		if found == nil {
			return nil, missing
		}
		return found, nil
	})
	if errors.Is(err, missing) {
		return nil, nil
	}
	return found, err
}

// CategoryWithUUID returns the category with the UUID uuid, or a *NotFoundError. It does not cache the category. It requires the v4 API,
// because the v3 API has no UUIDs of categories.
func (c *Client) CategoryWithUUID(ctx context.Context, uuid string) (*Category, error) {
	v4, ok := c.api.(apiV4)
	if !ok {
		return nil, errors.New("reading a category by its UUID: the v3 API of Prism Central has no UUIDs of categories")
	}
	found, err := v4Categories.get(ctx, v4, strings.ToLower(uuid))
	if err != nil {
		return nil, notFound(err, KindCategory, fmt.Sprintf("uuid %q", uuid))
	}
	return &found, nil
}
