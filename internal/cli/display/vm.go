package display

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Types of the resources whose attributes have descriptions: virtual machines of the v3 and of the v4 API.
const (
	vmType   = "nutanix_virtual_machine"
	vmTypeV2 = "nutanix_virtual_machine_v2"
)

// lastOrder is the order of attributes without a description.
const lastOrder = 100

// vmGroup describes attributes of a VM that belong together, in the words that people use for them.
type vmGroup struct {
	label string
	order int
	// parts are the paths of the attributes without the indices of list elements. An attribute with another path is shown on its own.
	parts []string
	// element is true if each element of the list has a row.
	element bool
	// describe returns the text for the values of one side of a change.
	describe func(value any, names Names) string
}

// vmGroups maps a resource type to the groups of its attributes.
var vmGroups = map[string][]*vmGroup{vmType: vmGroupsV1, vmTypeV2: vmGroupsV2}

var vmGroupsV1 = []*vmGroup{
	{label: "name", order: 1, parts: []string{"name"}, describe: text("name")},
	{label: "description", order: 2, parts: []string{"description"}, describe: text("description")},
	{label: "Prism Element", order: 3, parts: []string{"cluster_uuid"}, describe: entity("cluster_uuid")},
	{label: "project", order: 4, parts: []string{"project_reference.kind", "project_reference.uuid"}, describe: entity("project_reference", "uuid")},
	{label: "vCPUs", order: 5, parts: []string{"num_sockets", "num_vcpus_per_socket"}, describe: describeCPU},
	{label: "memory", order: 6, parts: []string{"memory_size_mib"}, describe: describeMemory},
	{label: "disk", order: 7, element: true, describe: describeDisk, parts: []string{
		"disk_list.disk_size_mib", "disk_list.disk_size_bytes", "disk_list.device_properties.device_type",
		"disk_list.device_properties.disk_address.adapter_type", "disk_list.device_properties.disk_address.device_index",
		"disk_list.data_source_reference.kind", "disk_list.data_source_reference.uuid", "disk_list.storage_config.flash_mode",
		"disk_list.storage_config.storage_container_reference.kind", "disk_list.storage_config.storage_container_reference.uuid"}},
	{label: "network", order: 8, element: true, parts: []string{"nic_list.subnet_uuid"}, describe: describeNIC},
	{label: "GPU", order: 9, element: true, parts: []string{"gpu_list.vendor", "gpu_list.mode", "gpu_list.device_id"}, describe: describeGPU},
	{label: "categories", order: 10, parts: []string{"categories", "categories.name", "categories.value"}, describe: describeCategories},
	{label: "firmware", order: 11, parts: []string{"boot_type"}, describe: text("boot_type")},
	{label: "boot order", order: 12, parts: []string{"boot_device_order_list"}, describe: describeBootOrder},
	{label: "power", order: 13, parts: []string{"power_state"}, describe: text("power_state")},
	{label: "user data", order: 14, parts: []string{"guest_customization_cloud_init_user_data"}, describe: text("guest_customization_cloud_init_user_data")},
	{label: "meta data", order: 15, parts: []string{"guest_customization_cloud_init_meta_data"}, describe: text("guest_customization_cloud_init_meta_data")},
	{label: "time zone", order: 16, parts: []string{"hardware_clock_timezone"}, describe: text("hardware_clock_timezone")},
}

// describedBy returns the group to which an attribute belongs, or nil. index is the index of the list element that the group describes,
// or -1.
func describedBy(resource, path string) (description *vmGroup, index int) {
	groups, described := vmGroups[resource]
	if !described {
		return nil, -1
	}
	var names []string
	segments := parsePath(path)
	for _, segment := range segments {
		if segment.name != "" {
			names = append(names, segment.name)
		}
	}
	plain := strings.Join(names, ".")
	for _, group := range groups {
		if !slices.Contains(group.parts, plain) {
			continue
		}
		if group.element && (len(segments) == 1 || segments[1].name != "") {
			return nil, -1
		}
		if group.element {
			return group, segments[1].index
		}
		return group, -1
	}
	return nil, -1
}

func text(path ...string) func(any, Names) string {
	return func(value any, _ Names) string { return lookup(value, path...) }
}

func entity(path ...string) func(any, Names) string {
	return func(value any, names Names) string { return names.entity(lookup(value, path...)) }
}

func describeCPU(value any, _ Names) string {
	sockets, perSocket := lookup(value, "num_sockets"), cmp.Or(lookup(value, "num_vcpus_per_socket"), lookup(value, "num_cores_per_socket"))
	first, err := strconv.Atoi(sockets)
	second, otherErr := strconv.Atoi(perSocket)
	switch {
	case err == nil && otherErr == nil:
		return fmt.Sprintf("%d (%s of %d)", first*second, CountOf(first, "socket"), second)
	case err == nil:
		return CountOf(first, "socket")
	case otherErr == nil:
		return perSocket + " per socket"
	}
	return ""
}

func describeMemory(value any, _ Names) string { return mebibytes(lookup(value, "memory_size_mib")) }

// describeDisk shows size, address, source and storage of a disk.
func describeDisk(value any, names Names) string {
	var parts []string
	if size := lookup(value, "disk_size_mib"); size != "" {
		parts = append(parts, mebibytes(size))
	}
	if kind := lookup(value, "device_properties", "device_type"); kind != "" && kind != "DISK" {
		parts = append(parts, kind)
	}
	adapter := lookup(value, "device_properties", "disk_address", "adapter_type")
	if index := lookup(value, "device_properties", "disk_address", "device_index"); adapter+index != "" {
		parts = append(parts, adapter+"."+index)
	}
	if image := lookup(value, "data_source_reference", "uuid"); image != "" {
		parts = append(parts, "image "+names.entity(image))
	}
	if container := lookup(value, "storage_config", "storage_container_reference", "uuid"); container != "" {
		parts = append(parts, "container "+names.entity(container))
	}
	if lookup(value, "storage_config", "flash_mode") == "ENABLED" {
		parts = append(parts, "flash")
	}
	return strings.Join(parts, ", ")
}

func describeNIC(value any, names Names) string {
	if subnet := lookup(value, "subnet_uuid"); subnet != "" {
		return "subnet " + names.entity(subnet)
	}
	return ""
}

func describeGPU(value any, _ Names) string {
	return strings.Join(strings.Fields(lookup(value, "vendor")+" "+lookup(value, "mode")+" "+lookup(value, "device_id")), " ")
}

// describeCategories shows each category as key=value. If the number of categories changes, their record is one JSON list.
func describeCategories(value any, _ Names) string {
	var parts []string
	for i, category := range list(value, "categories") {
		name, text := lookup(category, "name"), lookup(category, "value")
		switch {
		case name != "":
			parts = append(parts, name+"="+text)
		case text != "":
			parts = append(parts, fmt.Sprintf("[%d]=%s", i, text))
		}
	}
	return strings.Join(parts, ", ")
}

func describeBootOrder(value any, _ Names) string {
	return describeOrder(list(value, "boot_device_order_list"))
}

func describeOrder(devices []any) string {
	var parts []string
	for _, device := range devices {
		if text, ok := device.(string); ok {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}

// list returns a list that is recorded by its elements or as JSON.
func list(value any, name string) []any {
	object, _ := value.(map[string]any)
	inner := object[name]
	if text, isText := inner.(string); isText {
		inner = asJSON(text)
	}
	list, _ := inner.([]any)
	return list
}
