package nutanixcluster

import (
	"context"
	"errors"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
)

// identity finds the category of a cluster during a run with the v4 API. The provider can neither create a category that exists nor read one
// that does not exist.
type identity struct {
	central *prism.Client
	// value is the value of the category.
	value string
}

// identify implements lifecycle.Hooks.Identify. A category that exists is imported, whoever has created it: all clusters with the same name
// use the same category.
func (i identity) identify(ctx context.Context, known string) (string, error) {
	if known != "" {
		exists, err := i.exists(ctx, known)
		if err != nil || exists {
			return "", err
		}
	}
	found, err := i.central.Category(ctx, infrav1.CategoryKey, i.value)
	switch {
	case err != nil:
		return "", err
	case found != nil && !strings.EqualFold(found.UUID, known): // a response from the cache may still contain the known category
		return found.UUID, nil
	case known != "":
		return "", &lifecycle.AbsentError{Kind: prism.KindCategory, ID: known}
	}
	return "", nil
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
