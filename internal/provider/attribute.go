package provider

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Output is the resource type with which Particular, Observed and Derived describe the outputs of the modules. The attribute is the name
// of the output.
const Output = "output"

// attributes maps a resource type to paths of attributes without indexes, for example disk_list.uuid.
type attributes map[string][]string

// index matches the index of a list element in a path.
var index = regexp.MustCompile(`\[\d+\]`)

// contain reports whether the list contains an attribute of a resource type, or an attribute that contains it.
func (a attributes) contain(resourceType, path string) bool {
	path = index.ReplaceAllString(path, "")
	return slices.ContainsFunc(a[resourceType], func(listed string) bool {
		rest, below := strings.CutPrefix(path, listed)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// join returns the lists of both.
func (a attributes) join(further attributes) attributes {
	joined := maps.Clone(a)
	maps.Copy(joined, further)
	return joined
}

// v3Particular returns the attributes that distinguish the machines of one rollout: names, addresses, UUIDs and bootstrap data. All other
// attributes are equal if two machines are created from the same template in the same failure domain.
func v3Particular() attributes {
	return attributes{
		virtualMachine: {
			"id", "name", "description", "metadata", "host_reference", "cloud_init_cdrom_uuid", "boot_device_mac_address", "disk_list.uuid",
			"nic_list.uuid", "nic_list.mac_address", "nic_list.ip_endpoint_list", "nic_list_status",
			"guest_customization_cloud_init_custom_key_values", "guest_customization_cloud_init_meta_data",
			"guest_customization_cloud_init_user_data", "guest_customization_sysprep", "guest_customization_sysprep_custom_key_values",
		},
		Output: {"vm_uuid", "name", "addresses"},
	}
}

// v3Observed returns the attributes that only report what Prism Central observes. They change while nobody changes the infrastructure: a
// machine moves to another host, is switched off, or gets another address.
func v3Observed() attributes {
	return attributes{
		virtualMachine: {
			"api_version", "cluster_name", "host_reference", "hypervisor_type", "metadata", "nic_list_status", "power_state", "state",
		},
		categoryKey:   {"api_version", "system_defined"},
		categoryValue: {"api_version", "system_defined"},
		Output:        {"addresses", "power_state"},
	}
}

// v3Derived returns the attributes that contain nothing but what another attribute or the resource type says.
func v3Derived() attributes {
	return attributes{
		virtualMachine: {
			"disk_list.data_source_reference.kind", "disk_list.disk_size_bytes", "disk_list.storage_config.storage_container_reference.kind",
			"disk_list.volume_group_reference.kind", "owner_reference.kind", "parent_reference.kind", "project_reference.kind",
		},
		Output: {"vm_uuid", "name", "addresses", "power_state", "category_key", "category_value"},
	}
}

// v3Identifying returns the attributes that tell which machine is deleted and what is lost with it.
func v3Identifying() attributes {
	return attributes{
		virtualMachine: {
			"id", "name", "description", "cluster_uuid", "project_reference.uuid", "num_sockets", "num_vcpus_per_socket", "memory_size_mib",
			"categories", "gpu_list.name", "disk_list.uuid", "disk_list.disk_size_mib", "disk_list.volume_group_reference.uuid",
			"nic_list.subnet_uuid", "nic_list.ip_endpoint_list.ip",
		},
	}
}

// Particular reports whether an attribute of a resource type distinguishes the machines of one rollout. attribute is a name or a path, as
// in Disruption.
func (g *Generation) Particular(resourceType, attribute string) bool {
	return g.particular.contain(resourceType, attribute)
}

// Observed reports whether an attribute of a resource type only reports what Prism Central observes, so that it changes by itself.
func (g *Generation) Observed(resourceType, attribute string) bool {
	return g.observed.contain(resourceType, attribute)
}

// Derived reports whether an attribute of a resource type only repeats another attribute in another form.
func (g *Generation) Derived(resourceType, attribute string) bool {
	return g.derived.contain(resourceType, attribute)
}

// Identifying reports whether an attribute tells which resource is deleted or what is lost with it. All attributes of a type without a list
// do.
func (g *Generation) Identifying(resourceType, attribute string) bool {
	return len(g.identifying[resourceType]) == 0 || g.identifying.contain(resourceType, attribute)
}
