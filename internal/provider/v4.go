package provider

// Resource types in the modules for the v4 API.
const (
	virtualMachineV2 = "nutanix_virtual_machine_v2"
	categoryV2       = "nutanix_category_v2"
	antiAffinityV2   = "nutanix_vm_anti_affinity_policy_v2"
)

// v4Disruption returns the table for the resources of the v4 API. It contains every attribute that can be set according to the schema of
// provider 2.4.2. The classes are those of its update function (ResourceNutanixVirtualMachineV2Update), which switches the machine off for
// some attributes. Attributes that the update function changes while the machine is on, and that affect the guest or the placement of the
// machine, have class PowerCycle as in v3Disruption.
func v4Disruption() table {
	machine := map[string]Class{}
	for class, attributes := range map[Class][]string{
		None: {"name", "description", "categories"},
		PowerCycle: {
			// The provider switches the machine off for a change of these. For num_sockets and memory_size_bytes it does so if one of them
			// decreases. It does not switch the machine on again if power_state is not ON.
			"boot_config", "cd_roms", "cluster", "enabled_cpu_features", "gpus", "guest_tools", "is_cpu_hotplug_enabled",
			"is_cpu_passthrough_enabled", "is_vcpu_hard_pinning_enabled", "memory_size_bytes", "num_cores_per_socket", "num_numa_nodes",
			"num_sockets", "num_threads_per_core", "power_state", "serial_ports",
			// The provider changes these while the machine is on.
			"apc_config", "bios_uuid", "generation_uuid", "hardware_clock_timezone", "host", "is_agent_vm", "is_branding_enabled",
			"is_gpu_console_enabled", "is_memory_overcommit_enabled", "is_scsi_controller_enabled", "is_vga_console_enabled", "machine_type",
			"nics", "ownership_info", "protection_policy_state", "protection_type", "source", "storage_config", "vtpm_config",
			// The provider ignores a change of these.
			"availability_zone", "project",
		},
		Replace: {
			// The provider replaces the machine if the block is added or removed, and switches it off if the block is changed.
			"guest_customization",
			// The provider deletes disks that the plan does not contain.
			"disks",
		},
	} {
		for _, attribute := range attributes {
			machine[attribute] = class
		}
	}
	return table{
		virtualMachineV2: machine,
		// The provider ignores a change of key. A change of value renames the category, which then no longer marks the machines of the
		// cluster.
		categoryV2: {"description": None, "key": Replace, "owner_uuid": None, "type": Replace, "value": Replace},
		// A policy only influences on which hosts Prism Central places and moves running machines.
		antiAffinityV2: {"categories": None, "description": None, "name": None},
	}
}

// v4Expendable returns the resources of the v4 API for Generation.Expendable.
func v4Expendable() []string {
	return []string{antiAffinityV2 + ".control_plane", categoryV2 + ".control_plane"}
}

// v4Particular returns the attributes of the resources of the v4 API for Generation.Particular.
func v4Particular() attributes {
	return attributes{virtualMachineV2: {
		"id", "ext_id", "name", "description", "bios_uuid", "generation_uuid", "create_time", "update_time", "host",
		"disks.ext_id", "disks.backing_info.vm_disk.disk_ext_id", "cd_roms.ext_id", "cd_roms.backing_info.disk_ext_id",
		"nics.ext_id", "nics.backing_info.mac_address", "nics.nic_backing_info.virtual_ethernet_nic.mac_address",
		"nics.network_info.ipv4_config", "nics.network_info.ipv4_info",
		"nics.nic_network_info.virtual_ethernet_nic_network_info.ipv4_config",
		"nics.nic_network_info.virtual_ethernet_nic_network_info.ipv4_info",
		"nics.nic_network_info.virtual_ethernet_nic_network_info.ipv6_info",
		"gpus.ext_id", "gpus.pci_address", "serial_ports.ext_id",
		"guest_customization.config.cloud_init.metadata", "guest_customization.config.cloud_init.cloud_init_script",
		"guest_customization.config.sysprep",
	}}
}

// v4Observed returns the attributes of the resources of the v4 API for Generation.Observed.
func v4Observed() attributes {
	return attributes{
		virtualMachineV2: {
			"ext_id", "create_time", "update_time", "host", "power_state",
			"disks.backing_info.vm_disk.is_migration_in_progress", "cd_roms.backing_info.is_migration_in_progress",
			"nics.network_info.ipv4_info", "nics.nic_network_info.virtual_ethernet_nic_network_info.ipv4_info",
			"nics.nic_network_info.virtual_ethernet_nic_network_info.ipv6_info",
			"gpus.guest_driver_version", "gpus.pci_address",
		},
		categoryV2: {"associations", "detailed_associations"},
		antiAffinityV2: {
			"create_time", "created_by", "ext_id", "num_compliant_vms", "num_non_compliant_vms", "num_pending_vms", "update_time", "updated_by",
		},
	}
}

// v4Derived returns the attributes of the resources of the v4 API for Generation.Derived.
func v4Derived() attributes {
	return attributes{
		virtualMachineV2: {"ext_id", "nics.backing_info", "nics.network_info"},
		antiAffinityV2:   {"ext_id"},
		Output:           append(v3Derived()[Output], "category_uuid", "control_plane_category_uuid"),
	}
}

// v4Identifying returns the attributes of the resources of the v4 API for Generation.Identifying.
func v4Identifying() attributes {
	return attributes{virtualMachineV2: {
		"id", "name", "description", "cluster.ext_id", "project.ext_id", "num_sockets", "num_cores_per_socket", "memory_size_bytes",
		"categories", "gpus.name", "disks.ext_id", "disks.backing_info.vm_disk.disk_size_bytes",
		"disks.backing_info.adfs_volume_group_reference.volume_group_ext_id",
		"nics.nic_network_info.virtual_ethernet_nic_network_info.subnet.ext_id",
		"nics.nic_network_info.virtual_ethernet_nic_network_info.ipv4_config.ip_address.value",
	}}
}
