package prism

import (
	"context"
	"slices"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindPrismElement is the Kind of Prism Elements in errors.
const KindPrismElement = "Prism Element"

type clusterResources struct {
	Config struct {
		ServiceList []string `json:"service_list"`
	} `json:"config"`
}

// isPrismElement tells Prism Elements from Prism Central, which is in its own list.
func isPrismElement(cluster intent[clusterResources]) bool {
	return slices.ContainsFunc(cluster.Status.Resources.Config.ServiceList, func(service string) bool {
		return strings.EqualFold(service, "AOS")
	})
}

// PrismElement resolves a Prism Element. Names are compared without case. Prism Central itself is none.
func (c *Client) PrismElement(ctx context.Context, id infrav1.NutanixResourceIdentifier) (Entity, error) {
	wanted, err := identify(id, "cluster")
	if err != nil {
		return Entity{}, err
	}
	var matches []intent[clusterResources]
	if wanted.uuid != "" {
		var cluster intent[clusterResources]
		if err := c.get(ctx, &cluster, "clusters", wanted.uuid); err != nil {
			return Entity{}, notFound(err, KindPrismElement, wanted.String())
		}
		matches = distinct([]intent[clusterResources]{cluster}, isPrismElement)
	} else {
		// The list of clusters does not honour filters on every version.
		clusters, err := list[intent[clusterResources]](ctx, c, "cluster", "")
		if err != nil {
			return Entity{}, err
		}
		matches = distinct(clusters, func(cluster intent[clusterResources]) bool {
			return isPrismElement(cluster) && strings.EqualFold(cluster.name(), wanted.name)
		})
	}
	found, err := single(matches, uuidOf, KindPrismElement, wanted)
	return found.entity(), err
}
