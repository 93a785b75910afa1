package main

import (
	"maps"

	"github.com/hashicorp/go-cty/cty"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

// A NIC has two pairs of blocks: nic_backing_info and nic_network_info, and the deprecated backing_info and network_info. Requests contain
// only the new form.
var nicBlocks = map[string]struct{ deprecated, alternative string }{
	"nic_backing_info": {"backing_info", "virtual_ethernet_nic"},
	"nic_network_info": {"network_info", "virtual_ethernet_nic_network_info"},
}

func expandNICs(items []any) []config.Nic {
	var nics []config.Nic
	for _, item := range items {
		nics = append(nics, *expandNIC(item.(map[string]any), nil))
	}
	return nics
}

// expandNIC returns a NIC as requests contain it. In an update, configured is the NIC in the configuration: if only a deprecated block is
// configured, the provider sends this one, because the other contains what Prism Central has returned.
func expandNIC(item map[string]any, configured map[string]cty.Value) *config.Nic {
	fields := maps.Clone(item)
	for name, block := range nicBlocks {
		if len(itemsOf(item[name])) > 0 && (configured == nil || hasContent(configured[name])) {
			continue
		}
		fields[name] = []any{}
		if deprecated := itemsOf(item[block.deprecated]); len(deprecated) > 0 {
			fields[name] = []any{map[string]any{block.alternative: deprecated}}
		}
	}
	for _, info := range itemsOf(fields["nic_network_info"]) {
		for _, network := range itemsOf(info.(map[string]any)["virtual_ethernet_nic_network_info"]) {
			setNICType(network.(map[string]any))
		}
	}
	return model[config.Nic]("nics", fields)
}

// setNICType sets the type of a NIC if none is configured.
func setNICType(network map[string]any) {
	switch {
	case network["nic_type"] != "":
	case network["network_function_nic_type"] != "" || len(itemsOf(network["network_function_chain"])) > 0:
		network["nic_type"] = "NETWORK_FUNCTION_NIC"
	default:
		network["nic_type"] = "NORMAL_NIC"
	}
}

// configuredNIC returns the attributes in the configuration of the NIC with the ID.
func (r *vmRun) configuredNIC(id string) map[string]cty.Value {
	raw := r.d.GetRawConfig()
	for i, item := range itemsOf(r.d.Get("nics")) {
		if idOf(item) != id || raw.IsNull() {
			continue
		}
		if nics := raw.GetAttr("nics"); nics.IsKnown() && !nics.IsNull() && i < nics.LengthInt() {
			return nics.AsValueSlice()[i].AsValueMap()
		}
	}
	return map[string]cty.Value{}
}

// hasContent reports whether a block of the configuration contains a value.
func hasContent(value cty.Value) bool {
	switch {
	case value == cty.NilVal || value.IsNull() || !value.IsKnown():
		return false
	case value.Type().IsPrimitiveType():
		return true
	case value.Type().IsListType() || value.Type().IsTupleType():
		return value.LengthInt() > 0 && hasContent(value.AsValueSlice()[0])
	}
	for _, element := range value.AsValueMap() {
		if hasContent(element) {
			return true
		}
	}
	return false
}

// completeNIC adds the network information to the state that Prism Central returns only in the old form.
func completeNIC(fields map[string]any, nic config.Nic) {
	if nic.GetNicNetworkInfo() == nil {
		delete(fields, "nic_network_info")
		if nic.NetworkInfo != nil {
			fields["nic_network_info"] = []any{map[string]any{"virtual_ethernet_nic_network_info": fields["network_info"]}}
		}
	}
}
