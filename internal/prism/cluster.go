package prism

import (
	"context"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindPrismElement is the name of the kind Prism Element in errors.
const KindPrismElement = "Prism Element"

type clusterResources struct {
	Config struct {
		ServiceList []string `json:"service_list"`
		// IsAvailable is false while the Prism Element is disconnected from Prism Central.
		IsAvailable *bool `json:"is_available"`
	} `json:"config"`
}

// isPrismElement reports whether a cluster is a Prism Element. The list of clusters also contains Prism Central itself.
func isPrismElement(cluster intent[clusterResources]) bool {
	return slices.ContainsFunc(cluster.Status.Resources.Config.ServiceList, func(service string) bool {
		return strings.EqualFold(service, "AOS")
	})
}

// PrismElement returns the Prism Element with the name or UUID id. Names are case-insensitive. Prism Central itself is not a Prism
// Element and is never returned.
func (c *Client) PrismElement(ctx context.Context, id infrav1.NutanixResourceIdentifier) (Entity, error) {
	wanted, err := identify(id, "cluster")
	if err != nil {
		return Entity{}, err
	}
	choose := func(clusters []intent[clusterResources]) (Entity, error) {
		matches := distinct(clusters, func(cluster intent[clusterResources]) bool {
			return isPrismElement(cluster) && (wanted.uuid != "" || strings.EqualFold(cluster.name(), wanted.name))
		})
		found, err := single(matches, uuidOf, KindPrismElement, wanted)
		return found.entity(), err
	}
	// The list has no filter, because some versions of Prism Central ignore filters for clusters.
	return findEntity(ctx, c, cachedClusters, KindPrismElement, wanted, "", choose)
}

// AvailablePrismElements returns the sorted UUIDs of the connected Prism Elements that the account can see. It is not cached, because the
// absence of a VM is concluded from it.
func (c *Client) AvailablePrismElements(ctx context.Context) ([]string, error) {
	clusters, err := list[intent[clusterResources]](ctx, c, "cluster", "")
	if err != nil {
		return nil, err
	}
	var uuids []string
	for _, cluster := range distinct(clusters, isPrismElement) {
		if available := cluster.Status.Resources.Config.IsAvailable; available == nil || *available {
			uuids = append(uuids, uuidOf(cluster))
		}
	}
	slices.Sort(uuids)
	return uuids, nil
}
