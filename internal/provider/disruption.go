package provider

import (
	"fmt"
	"maps"
	"strings"
)

// Class describes how a change affects the virtual machine that it is applied to. Classes are ordered; a greater class is worse.
type Class int

// Disruption classes.
const (
	// None: a guest does not notice the change.
	None Class = iota
	// PowerCycle: the provider may switch the virtual machine off to apply the change.
	PowerCycle
	// Replace: the provider destroys the resource and creates another one.
	Replace
	// Destroy: the provider destroys the resource.
	Destroy
)

// String returns the name of the class in records, conditions and events.
func (c Class) String() string {
	switch c {
	case None:
		return "None"
	case PowerCycle:
		return "PowerCycle"
	case Replace:
		return "Replace"
	case Destroy:
		return "Destroy"
	default:
		return fmt.Sprintf("Class(%d)", int(c))
	}
}

// Resource types of the v3 modules.
const (
	virtualMachine = "nutanix_virtual_machine"
	categoryKey    = "nutanix_category_key"
	categoryValue  = "nutanix_category_value"
)

// table maps resource types and their attributes to the class of a changed attribute.
type table map[string]map[string]Class

// class returns the class of one changed attribute. A resource type or an attribute that the table does not contain has class
// Replace, which is the worst class of a change.
func (t table) class(resourceType, attribute string) Class {
	name, _, _ := strings.Cut(attribute, ".")
	name, _, _ = strings.Cut(name, "[")
	if class, known := t[resourceType][name]; known {
		return class
	}
	return Replace
}

// v3Disruption returns the table for the resources of the v3 API. It contains every attribute that can be set according to the
// schemas of provider 1.9.5 and 2.4.2. Depending on direction and on other attributes, the provider applies some changes of class
// PowerCycle without switching the machine off. The table ignores these cases.
func v3Disruption() table {
	machine := map[string]Class{}
	for class, attributes := range map[Class][]string{
		// timeouts and cloud_init_cdrom_uuid are settings of the provider. They change when a machine is imported.
		None: {"name", "description", "categories", "timeouts", "cloud_init_cdrom_uuid"},
		PowerCycle: {
			"availability_zone_reference", "boot_device_disk_address", "boot_device_mac_address", "boot_device_order_list",
			"cluster_uuid", "disk_list", "enable_cpu_passthrough", "enable_script_exec", "gpu_list",
			"guest_customization_cloud_init_custom_key_values", "guest_customization_is_overridable", "guest_os_id",
			"hardware_clock_timezone", "is_vcpu_hard_pinned", "machine_type", "memory_size_mib", "ngt_credentials",
			"ngt_enabled_capability_list", "nic_list", "num_sockets", "num_vcpus_per_socket", "num_vnuma_nodes",
			"nutanix_guest_tools", "owner_reference", "parent_reference", "power_state_mechanism", "project_reference",
			"should_fail_on_script_failure", "use_hot_add", "vga_console_enabled",
		},
		Replace: {
			"boot_type", "guest_customization_cloud_init_meta_data", "guest_customization_cloud_init_user_data",
			"guest_customization_sysprep", "guest_customization_sysprep_custom_key_values", "serial_port_list",
		},
	} {
		for _, attribute := range attributes {
			machine[attribute] = class
		}
	}
	return table{
		virtualMachine: machine,
		categoryKey:    {"name": None, "description": None},
		categoryValue:  {"name": None, "description": None, "value": Replace},
	}
}

// with returns a copy of the table with one class added or changed.
func (t table) with(resourceType, attribute string, class Class) table {
	copied := maps.Clone(t)
	copied[resourceType] = maps.Clone(t[resourceType])
	copied[resourceType][attribute] = class
	return copied
}
