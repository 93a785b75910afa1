package display

import (
	"cmp"
	"strconv"
	"strings"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Paths of blocks in a nutanix_virtual_machine_v2.
const (
	v2Disk    = "disks.backing_info.vm_disk."
	v2CDROM   = "cd_roms.backing_info."
	v2Network = "nics.nic_network_info.virtual_ethernet_nic_network_info."
	v2Image   = "data_source.reference.image_reference.image_ext_id"
)

var vmGroupsV2 = []*vmGroup{
	{label: "name", order: 1, parts: []string{"name"}, describe: text("name")},
	{label: "description", order: 2, parts: []string{"description"}, describe: text("description")},
	{label: "Prism Element", order: 3, parts: []string{"cluster.ext_id"}, describe: entity("cluster", "ext_id")},
	{label: "project", order: 4, parts: []string{"project.ext_id"}, describe: entity("project", "ext_id")},
	{label: "vCPUs", order: 5, parts: []string{"num_sockets", "num_cores_per_socket"}, describe: describeCPU},
	{label: "memory", order: 6, parts: []string{"memory_size_bytes"}, describe: func(value any, _ Names) string { return inMebibytes(lookup(value, "memory_size_bytes")) }},
	{label: "disk", order: 7, element: true, describe: describeDiskV2, parts: []string{
		"disks.disk_address.bus_type", "disks.disk_address.index", v2Disk + "disk_size_bytes", v2Disk + v2Image,
		v2Disk + "storage_container.ext_id", v2Disk + "storage_config.is_flash_mode_enabled"}},
	{label: "CD-ROM", order: 7, element: true, describe: describeCDROMV2, parts: []string{
		"cd_roms.disk_address.bus_type", "cd_roms.disk_address.index", v2CDROM + "disk_size_bytes", v2CDROM + v2Image, v2CDROM + "storage_container.ext_id"}},
	{label: "network", order: 8, element: true, describe: describeNICV2, parts: []string{v2Network + "subnet.ext_id", v2Network + "nic_type"}},
	{label: "GPU", order: 9, element: true, parts: []string{"gpus.vendor", "gpus.mode", "gpus.device_id"}, describe: describeGPU},
	{label: "categories", order: 10, parts: []string{"categories", "categories.ext_id"}, describe: describeCategoriesV2},
	{label: "firmware", order: 11, describe: describeFirmwareV2, parts: []string{
		"boot_config.legacy_boot.boot_order", "boot_config.uefi_boot.boot_order", "boot_config.uefi_boot.is_secure_boot_enabled"}},
	{label: "machine type", order: 12, parts: []string{"machine_type"}, describe: text("machine_type")},
	{label: "power", order: 13, parts: []string{"power_state"}, describe: text("power_state")},
	{label: "user data", order: 14, parts: []string{"guest_customization.config.cloud_init.cloud_init_script.user_data.value"},
		describe: text("guest_customization", "config", "cloud_init", "cloud_init_script", "user_data", "value")},
	{label: "meta data", order: 15, parts: []string{"guest_customization.config.cloud_init.metadata"},
		describe: text("guest_customization", "config", "cloud_init", "metadata")},
	{label: "time zone", order: 16, parts: []string{"hardware_clock_timezone"}, describe: text("hardware_clock_timezone")},
}

// inMebibytes returns a size in bytes with the unit that people use for it.
func inMebibytes(text string) string {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size%(1<<20) != 0 {
		return text
	}
	return mebibytes(strconv.FormatInt(size>>20, 10))
}

func describeDiskV2(value any, names Names) string {
	parts := describeBackingV2(value, names, "backing_info", "vm_disk")
	if lookup(value, "backing_info", "vm_disk", "storage_config", "is_flash_mode_enabled") == "true" {
		parts = append(parts, "flash")
	}
	return strings.Join(parts, ", ")
}

func describeCDROMV2(value any, names Names) string {
	return strings.Join(describeBackingV2(value, names, "backing_info"), ", ")
}

// describeBackingV2 shows size, address, image and storage container of a disk or a CD-ROM. backing is the path of the block with the disk.
func describeBackingV2(value any, names Names, backing ...string) []string {
	at := func(path ...string) string { return lookup(value, append(append([]string{}, backing...), path...)...) }
	var parts []string
	if size := at("disk_size_bytes"); size != "" {
		parts = append(parts, inMebibytes(size))
	}
	if bus := lookup(value, "disk_address", "bus_type"); bus != "" {
		parts = append(parts, bus+"."+cmp.Or(lookup(value, "disk_address", "index"), "0")) // a record omits the index 0
	}
	if image := at("data_source", "reference", "image_reference", "image_ext_id"); image != "" {
		parts = append(parts, "image "+names.entity(image))
	}
	if container := at("storage_container", "ext_id"); container != "" {
		parts = append(parts, "container "+names.entity(container))
	}
	return parts
}

func describeNICV2(value any, names Names) string {
	network := []string{"nic_network_info", "virtual_ethernet_nic_network_info"}
	var parts []string
	if subnet := lookup(value, append(network, "subnet", "ext_id")...); subnet != "" {
		parts = append(parts, "subnet "+names.entity(subnet))
	}
	if kind := lookup(value, append(network, "nic_type")...); kind != "" && kind != "NORMAL_NIC" {
		parts = append(parts, kind)
	}
	return strings.Join(parts, ", ")
}

// describeCategoriesV2 shows the UUIDs of the categories, or their keys and values if the machine contains them.
func describeCategoriesV2(value any, names Names) string {
	var parts []string
	for _, category := range list(value, "categories") {
		uuid := lookup(category, "ext_id")
		if name := names[strings.ToLower(uuid)]; name != "" {
			uuid = name
		}
		if uuid != "" {
			parts = append(parts, uuid)
		}
	}
	return strings.Join(parts, ", ")
}

func describeFirmwareV2(value any, _ Names) string {
	config, _ := value.(map[string]any)
	boot, _ := single(config["boot_config"]).(map[string]any)
	for _, firmware := range []struct{ block, name string }{{"legacy_boot", "LEGACY"}, {"uefi_boot", "UEFI"}} {
		settings := single(boot[firmware.block])
		if settings == nil {
			continue
		}
		name := firmware.name
		if lookup(settings, "is_secure_boot_enabled") == "true" {
			name = "SECURE_BOOT"
		}
		if order := describeOrder(list(settings, "boot_order")); order != "" {
			name += ", boot order " + order
		}
		return name
	}
	return ""
}

// matchV2 adds the names in a spec for the UUIDs of the VM that is created from it, as match does. The CD-ROM with the bootstrap image is the
// first one.
func (n Names) matchV2(vm map[string]any, spec *infrav1.NutanixMachineSpec) {
	n.add(lookup(vm, "cluster", "ext_id"), spec.Cluster.Name)
	if spec.Project != nil {
		n.add(lookup(vm, "project", "ext_id"), spec.Project.Name)
	}
	for i, subnet := range spec.Subnets {
		n.add(lookup(element(vm, "nics", i), "nic_network_info", "virtual_ethernet_nic_network_info", "subnet", "ext_id"), subnet.Name)
	}
	image := func(list string, index int) string {
		value, path := element(vm, list, index), []string{"backing_info"}
		if list == "disks" {
			path = append(path, "vm_disk")
		}
		return lookup(value, append(path, "data_source", "reference", "image_reference", "image_ext_id")...)
	}
	if spec.Image != nil {
		n.add(image("disks", 0), spec.Image.Name)
	}
	disks, cdROMs := 1, 0
	if spec.BootstrapRef != nil && spec.BootstrapRef.Kind == infrav1.NutanixMachineBootstrapRefKindImage {
		cdROMs++
	}
	for _, disk := range spec.DataDisks {
		list, index := "disks", &disks
		if device := disk.DeviceProperties; device != nil && device.DeviceType == infrav1.NutanixMachineDiskDeviceTypeCDRom {
			list, index = "cd_roms", &cdROMs
		}
		if disk.DataSource != nil {
			n.add(image(list, *index), disk.DataSource.Name)
		}
		*index++
	}
}
