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
	missing := &NotFoundError{Kind: "category"}
	_, err := find(ctx, c, c.api.category(key, value), func(exists bool) (bool, error) {
		if !exists {
			return false, missing
		}
		return true, nil
	})
	if errors.Is(err, missing) {
		return false, nil
	}
	return err == nil, err
}
