package provider

import (
	"fmt"
	"maps"
	"strings"
)

// Class is the disruption class of a change. It describes how the change affects the virtual machine. A higher class is worse.
type Class int

// Disruption classes.
const (
	// None means that the guest does not notice the change.
	None Class = iota
	// PowerCycle means that the provider may switch the virtual machine off to apply the change.
	PowerCycle
	// Replace means that the provider destroys the resource and creates a new one.
	Replace
	// Destroy means that the provider destroys the resource.
	Destroy
)

// String returns the name of the class for records, conditions and events.
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

// Resource types in the modules for the v3 API.
const (
	virtualMachine = "nutanix_virtual_machine"
	categoryKey    = "nutanix_category_key"
	categoryValue  = "nutanix_category_value"
)

// table maps a resource type and an attribute to the class of a change of this attribute.
type table map[string]map[string]Class

// class returns the class of a change of one attribute. If the table does not contain the resource type or the attribute, it returns
// Replace, the most disruptive class of a change.
func (t table) class(resourceType, attribute string) Class {
	name, _, _ := strings.Cut(attribute, ".")
	name, _, _ = strings.Cut(name, "[")
	if class, known := t[resourceType][name]; known {
		return class
	}
	return Replace
}

// v3Disruption returns the table for the resources of the v3 API. It contains every attribute that can be set according to the schemas of
// provider 1.9.5 and 2.4.2. In some cases the provider can apply a change of class PowerCycle without switching the machine off,
// depending on the old and new value and on other attributes. The table does not distinguish these cases.
func v3Disruption() table {
	machine := map[string]Class{}
	for class, attributes := range map[Class][]string{
		// timeouts and cloud_init_cdrom_uuid affect only the provider, not the machine. A plan that imports an existing machine
		// shows them as changed.
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

// v3DisruptionSince2 returns the table for the resources of the v3 API in providers that can set the power state, which are 2.0 and later.
func v3DisruptionSince2() table {
	since := v3Disruption()
	since[virtualMachine]["power_state"] = PowerCycle
	return since
}

// join returns a table with the resource types of both tables.
func (t table) join(further table) table {
	joined := maps.Clone(t)
	maps.Copy(joined, further)
	return joined
}
