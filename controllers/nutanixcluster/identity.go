package nutanixcluster

import (
	"context"
	"errors"
	"strings"

	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
)

// identity finds the category of a cluster during a run with the v4 API. The provider can neither create a category that exists nor read one
// that does not exist.
type identity struct {
	central *prism.Client
	// key and value are the key and the value of the category.
	key, value string
}

// identify implements lifecycle.Hooks.Identify. A category that exists is imported, even if others created it: all clusters with the same name
// use the same category.
func (i identity) identify(ctx context.Context, known string) (string, error) {
	found, err := i.find(ctx, known)
	switch {
	case err != nil, found == known:
		return "", err
	case found == "":
		return "", &lifecycle.AbsentError{Kind: prism.KindCategory, ID: known}
	}
	return found, nil
}

// find implements lifecycle.Part.Find. It returns the UUID of the category, or an empty string if the category does not exist.
func (i identity) find(ctx context.Context, known string) (string, error) {
	if known != "" {
		exists, err := i.exists(ctx, known)
		if err != nil {
			return "", err
		}
		if exists {
			return known, nil
		}
	}
	found, err := i.central.Category(ctx, i.key, i.value)
	if err != nil || found == nil || strings.EqualFold(found.UUID, known) { // a response from the cache may still contain the known category
		return "", err
	}
	return found.UUID, nil
}

// exists implements lifecycle.Hooks.Healthy. It reports whether the category with the UUID id exists.
func (i identity) exists(ctx context.Context, id string) (bool, error) {
	_, err := i.central.CategoryWithUUID(ctx, id)
	var missing *prism.NotFoundError
	if errors.As(err, &missing) {
		return false, nil
	}
	return err == nil, err
}
