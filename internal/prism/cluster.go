package prism

import (
	"context"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindPrismElement is the name of the kind Prism Element in errors.
const KindPrismElement = "Prism Element"

// cluster is an entity in the list of clusters. It is a Prism Element if isElement is true. isCentral is true for Prism Central itself in
// lists of the v4 API. available is false while a Prism Element is disconnected from Prism Central.
type cluster struct {
	Entity
	isElement, isCentral bool
	available            bool
	version              string
}

// PrismElement returns the Prism Element with the name or UUID id. Names are case-insensitive. Prism Central itself is not a Prism
// Element and is never returned.
func (c *Client) PrismElement(ctx context.Context, id infrav1.NutanixResourceIdentifier) (Entity, error) {
	wanted, err := identify(id, "cluster")
	if err != nil {
		return Entity{}, err
	}
	choose := func(clusters []cluster) (Entity, error) {
		matches := distinct(clusters, func(cluster cluster) bool { return cluster.isElement && wanted.is(cluster.Entity, strings.EqualFold) })
		found, err := single(matches, KindPrismElement, wanted)
		return found.Entity, err
	}
	return findEntity(ctx, c, KindPrismElement, wanted, c.api.clusters(wanted), choose)
}

// AvailablePrismElements returns the sorted UUIDs of the connected Prism Elements that the account can see. It is not cached, because the
// absence of a VM is concluded from it.
func (c *Client) AvailablePrismElements(ctx context.Context) ([]string, error) {
	clusters, err := c.api.clusters(identifier{}).read(ctx, c)
	if err != nil {
		return nil, err
	}
	var uuids []string
	for _, cluster := range distinct(clusters, func(cluster cluster) bool { return cluster.isElement && cluster.available }) {
		uuids = append(uuids, cluster.UUID)
	}
	slices.Sort(uuids)
	return uuids, nil
}
