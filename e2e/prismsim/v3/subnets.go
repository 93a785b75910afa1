package v3

import (
	"net/netip"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// subnetRecord returns the record of a subnet. The record of an overlay subnet has no cluster_reference.
func (api *API) subnetRecord(n *model.Subnet) record {
	more := map[string]string{"subnet_type": n.Type, "cluster_uuid": "", "cluster_name": ""}
	spec := map[string]any{"name": n.Name}
	status := map[string]any{"name": n.Name, "state": wire.StateComplete}
	if n.Element != nil {
		more["cluster_uuid"], more["cluster_name"] = n.Element.UUID, n.Element.Name
		spec["cluster_reference"], status["cluster_reference"] = api.PrismElementReference(n.Element), api.PrismElementReference(n.Element)
	}
	rec := api.newRecord("subnet", n.UUID, n.Name, api.Started, more)
	resources := subnetResources(n)
	spec["resources"] = resources
	live := map[string]any{}
	for k, v := range resources {
		live[k] = v
	}
	if n.IPAM {
		live["ip_usage_stats"] = subnetUsage(n)
	}
	status["resources"] = live
	rec.body.Spec, rec.body.Status = spec, status
	return rec
}

func subnetResources(n *model.Subnet) map[string]any {
	out := map[string]any{"subnet_type": n.Type}
	if n.Type == inventory.TypeOverlay {
		vpc := map[string]any{"kind": "vpc", "uuid": n.InVPC.UUID}
		out["vpc_reference"], out["advanced_networking"], out["external_connectivity_state"] = vpc, true, "ENABLED"
	} else {
		out["vlan_id"], out["vswitch_name"], out["is_external"] = n.VLANID, "br0", n.External
		out["virtual_switch_uuid"] = inventory.DeriveUUID("virtual_switch", n.PrismElement)
		if n.External {
			out["enable_nat"] = n.Translates()
		}
	}
	if !n.IPAM {
		return out
	}
	prefix, _ := netip.ParsePrefix(n.CIDR) // validated with the inventory
	pools := []map[string]any{}
	for _, pool := range n.Pools {
		pools = append(pools, map[string]any{"range": strings.ReplaceAll(pool, "-", " ")})
	}
	out["ip_config"] = map[string]any{
		"subnet_ip": prefix.Masked().Addr().String(), "prefix_length": prefix.Bits(), "default_gateway_ip": n.Gateway.String(), "pool_list": pools,
	}
	return out
}

func subnetUsage(n *model.Subnet) map[string]any {
	used, free := n.V4.Stats()
	return map[string]any{"num_macs": used, "num_assigned_ips": used, "num_free_ips": free}
}
