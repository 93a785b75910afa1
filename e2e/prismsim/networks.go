package prismsim

import (
	"net/netip"
	"strings"
)

// subnetRecord describes a subnet; overlay subnets have no cluster_reference.
func (api *v3API) subnetRecord(n *network) record {
	more := map[string]string{"subnet_type": n.Type, "cluster_uuid": "", "cluster_name": ""}
	spec := map[string]any{"name": n.Name}
	status := map[string]any{"name": n.Name, "state": stateComplete}
	if n.element != nil {
		more["cluster_uuid"], more["cluster_name"] = n.element.UUID, n.element.Name
		spec["cluster_reference"], status["cluster_reference"] = api.elementReference(n.element), api.elementReference(n.element)
	}
	rec := api.newRecord("subnet", n.UUID, n.Name, api.started, more)
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

func subnetResources(n *network) map[string]any {
	out := map[string]any{"subnet_type": n.Type}
	if n.Type == typeOverlay {
		vpc := map[string]any{"kind": "vpc", "uuid": n.vpc.UUID}
		out["vpc_reference"], out["advanced_networking"], out["external_connectivity_state"] = vpc, true, "ENABLED"
	} else {
		out["vlan_id"], out["vswitch_name"], out["is_external"] = n.VLANID, "br0", n.External
		out["virtual_switch_uuid"] = deriveUUID("virtual_switch", n.PrismElement)
		if n.External {
			out["enable_nat"] = n.translates()
		}
	}
	if !n.IPAM {
		return out
	}
	prefix, _ := netip.ParsePrefix(n.CIDR) // checked with the inventory
	pools := []map[string]any{}
	for _, pool := range n.Pools {
		pools = append(pools, map[string]any{"range": strings.ReplaceAll(pool, "-", " ")})
	}
	out["ip_config"] = map[string]any{
		"subnet_ip": prefix.Masked().Addr().String(), "prefix_length": prefix.Bits(), "default_gateway_ip": n.gateway.String(), "pool_list": pools,
	}
	return out
}

func subnetUsage(n *network) map[string]any {
	used, free := n.v4.stats()
	return map[string]any{"num_macs": used, "num_assigned_ips": used, "num_free_ips": free}
}
