package prism

import (
	"context"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindStorageContainer is the name of the kind storage container in errors.
const KindStorageContainer = "storage container"

// container is a storage container. prismElement is the UUID of its Prism Element.
type container struct {
	Entity
	prismElement string
}

// StorageContainer returns the storage container with the name or UUID id on a Prism Element. Names are case-sensitive. Several Prism
// Elements usually have a storage container with the same name.
func (c *Client) StorageContainer(ctx context.Context, id infrav1.NutanixResourceIdentifier, prismElementUUID string) (Entity, error) {
	wanted, err := identify(id, "storageContainer")
	if err != nil {
		return Entity{}, err
	}
	return find(ctx, c, c.api.containers(prismElementUUID), func(containers []container) (Entity, error) {
		matches := distinct(containers, func(container container) bool {
			return wanted.is(container.Entity, sameCase) && strings.EqualFold(container.prismElement, prismElementUUID)
		})
		found, err := single(matches, KindStorageContainer+" of Prism Element "+prismElementUUID, wanted)
		return found.Entity, err
	})
}
