package prism

import (
	"context"
	"errors"
)

// CategoryExists reports whether the category with the given key and value exists.
func (c *Client) CategoryExists(ctx context.Context, key, value string) (bool, error) {
	if key == "" || value == "" {
		return false, &InvalidError{Field: "categories", Reason: "key and value must be set"}
	}
	_, err := cached(ctx, c, entityOf[struct{}](cachedCategories, key, value), cacheLife)
	var missing *NotFoundError
	var status *StatusError
	if errors.As(notFound(err, "category", ""), &missing) || errors.As(err, &status) && status.Reason == "CATEGORY_NAME_VALUE_MISMATCH" {
		return false, nil
	}
	return err == nil, err
}
