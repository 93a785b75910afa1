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
	var category struct {
		Value string `json:"value"`
	}
	err := c.get(ctx, &category, "categories", key, value)
	var missing *NotFoundError
	var status *StatusError
	if errors.As(notFound(err, "category", ""), &missing) || errors.As(err, &status) && status.Reason == "CATEGORY_NAME_VALUE_MISMATCH" {
		return false, nil
	}
	return err == nil, err
}
