package nutanix

import (
	"context"
	"slices"
	"strings"

	clustermgmt "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/models/clustermgmt/v4/config"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/internal/prismv4"
)

// ListPrismElements implements Infrastructure.
func (c *Client) ListPrismElements(ctx context.Context) ([]PrismElement, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[clustermgmt.Cluster, PrismElement]{
		Operation: "ListPrismElements", Namespace: prismv4.ClusterMgmt, Path: "/config/clusters", Item: prismElementOf,
		Key: func(cluster *clustermgmt.Cluster) string { return lower(cluster.ExtId) },
	})
}

func prismElementOf(in *clustermgmt.Cluster) PrismElement {
	out := PrismElement{UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, ""), IsPrismCentral: isPrismCentral(in.Config)}
	for _, category := range in.Categories {
		out.CategoryUUIDs = append(out.CategoryUUIDs, strings.ToLower(category))
	}
	return out
}

// isPrismCentral recognises the cluster that Prism Central itself runs as: by what it is for, and by its software, which is
// what Nutanix's own cloud controller manager goes by.
func isPrismCentral(config *clustermgmt.ClusterConfigReference) bool {
	if config == nil {
		return false
	}
	return slices.Contains(config.ClusterFunction, clustermgmt.CLUSTERFUNCTIONREF_PRISM_CENTRAL) ||
		slices.ContainsFunc(config.ClusterSoftwareMap, func(software clustermgmt.SoftwareMapReference) bool {
			return ptr.Deref(software.SoftwareType, clustermgmt.SOFTWARETYPEREF_UNKNOWN) == clustermgmt.SOFTWARETYPEREF_PRISM_CENTRAL
		})
}

// ListHosts implements Infrastructure.
func (c *Client) ListHosts(ctx context.Context) ([]Host, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[clustermgmt.Host, Host]{
		Operation: "ListHosts", Namespace: prismv4.ClusterMgmt, Path: "/config/hosts", Item: hostOf,
		Key: func(host *clustermgmt.Host) string { return lower(host.ExtId) },
	})
}

func hostOf(in *clustermgmt.Host) Host {
	out := Host{UUID: lower(in.ExtId), Name: ptr.Deref(in.HostName, "")}
	if in.Cluster != nil {
		out.PrismElementUUID = lower(in.Cluster.Uuid)
	}
	return out
}
