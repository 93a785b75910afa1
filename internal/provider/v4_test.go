package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
)

const (
	machineV2  = "nutanix_virtual_machine_v2"
	categoryV2 = "nutanix_category_v2"

	antiAffinityV2 = "nutanix_vm_anti_affinity_policy_v2"
)

func TestExpendableResources(t *testing.T) {
	for version, want := range map[string]bool{"1.9.5": false, "2.4.2": true} {
		generation, err := provider.ForVersion(version)
		require.NoError(t, err)
		assert.Equal(t, want, generation.Expendable(antiAffinityV2, "control_plane"), version)
		assert.Equal(t, want, generation.Expendable(categoryV2, "control_plane"), version)
		assert.False(t, generation.Expendable(categoryV2, "this"), "the category that marks all machines")
		assert.False(t, generation.Expendable(machineV2, "control_plane"), version)
	}
}

func TestDisruptionOfAnAttributeInV4(t *testing.T) {
	generation, err := provider.ForVersion("2.4.2")
	require.NoError(t, err)
	for _, test := range []struct {
		resourceType, attribute string
		want                    provider.Class
	}{
		{machineV2, "name", provider.None},
		{machineV2, "description", provider.None},
		{machineV2, "categories[0].ext_id", provider.None},
		{machineV2, "memory_size_bytes", provider.PowerCycle},
		{machineV2, "num_sockets", provider.PowerCycle},
		{machineV2, "num_cores_per_socket", provider.PowerCycle},
		{machineV2, "cluster[0].ext_id", provider.PowerCycle},
		{machineV2, "cd_roms[0].ext_id", provider.PowerCycle},
		{machineV2, "nics[1]", provider.PowerCycle},
		{machineV2, "gpus[0].mode", provider.PowerCycle},
		{machineV2, "guest_tools[0].is_enabled", provider.PowerCycle},
		{machineV2, "boot_config[0].uefi_boot[0].boot_order[0]", provider.PowerCycle},
		{machineV2, "power_state", provider.PowerCycle},
		{machineV2, "project[0].ext_id", provider.PowerCycle},
		{machineV2, "guest_customization", provider.Replace},
		{machineV2, "guest_customization[0].config[0].cloud_init[0].metadata", provider.Replace},
		{machineV2, "disks[0].backing_info[0].vm_disk[0].disk_size_bytes", provider.Replace},
		{machineV2, "id", provider.Replace},
		{machineV2, "added_by_a_later_version", provider.Replace},
		{categoryV2, "description", provider.None},
		{categoryV2, "value", provider.Replace},
		{categoryV2, "key", provider.Replace},
		{antiAffinityV2, "name", provider.None},
		{antiAffinityV2, "categories[0]", provider.None},
		{antiAffinityV2, "id", provider.Replace},
		{"nutanix_vm_host_affinity_policy_v2", "name", provider.Replace},
		{"nutanix_virtual_machine", "power_state", provider.PowerCycle},
	} {
		t.Run(test.resourceType+"/"+test.attribute, func(t *testing.T) {
			assert.Equal(t, test.want, generation.Disruption(test.resourceType, test.attribute))
		})
	}
}

func TestProvidersWithoutV4ModulesDoNotKnowItsResources(t *testing.T) {
	for _, version := range []string{"1.9.5", "2.3.4"} {
		generation, err := provider.ForVersion(version)
		require.NoError(t, err)
		assert.Equal(t, provider.Replace, generation.Disruption(machineV2, "name"), version)
		assert.False(t, generation.Observed(machineV2, "power_state"), version)
	}
}

func TestAttributesOfDigestsInV4(t *testing.T) {
	generation, err := provider.ForVersion("2.4.2")
	require.NoError(t, err)
	const network = "nics[0].nic_network_info[0].virtual_ethernet_nic_network_info[0]."
	for _, test := range []struct {
		resourceType, attribute                    string
		particular, observed, derived, identifying bool
	}{
		{machineV2, "name", true, false, false, true},
		{machineV2, "ext_id", true, true, true, false},
		{machineV2, "bios_uuid", true, false, false, false},
		{machineV2, "update_time", true, true, false, false},
		{machineV2, "host[0].ext_id", true, true, false, false},
		{machineV2, "power_state", false, true, false, false},
		{machineV2, "memory_size_bytes", false, false, false, true},
		{machineV2, "cluster[0].ext_id", false, false, false, true},
		{machineV2, "categories[3].ext_id", false, false, false, true},
		{machineV2, "disks[2].ext_id", true, false, false, true},
		{machineV2, "disks[2].backing_info[0].vm_disk[0].disk_size_bytes", false, false, false, true},
		{machineV2, "disks[2].backing_info[0].vm_disk[0].data_source[0].reference[0].image_reference[0].image_ext_id", false, false, false, false},
		{machineV2, "disks[2].backing_info[0].adfs_volume_group_reference[0].volume_group_ext_id", false, false, false, true},
		{machineV2, "cd_roms[0].ext_id", true, false, false, false},
		{machineV2, network + "subnet[0].ext_id", false, false, false, true},
		{machineV2, network + "ipv4_config[0].ip_address[0].value", true, false, false, true},
		{machineV2, network + "ipv4_info[0].learned_ip_addresses[0].value", true, true, false, false},
		{machineV2, network + "ipv6_info[0].learned_ipv6_addresses[0].value", true, true, false, false},
		{machineV2, "nics[0].network_info[0].subnet[0].ext_id", false, false, true, false},
		{machineV2, "guest_customization[0].config[0].cloud_init[0].metadata", true, false, false, false},
		{machineV2, "guest_customization[0].config[0].cloud_init[0].cloud_init_script[0].user_data[0].value", true, false, false, false},
		{machineV2, "guest_customization[0].config[0].cloud_init[0].datasource_type", false, false, false, false},
		{categoryV2, "key", false, false, false, true},
		{categoryV2, "associations[0].count", false, true, false, true},
		{antiAffinityV2, "num_pending_vms", false, true, false, true},
		{antiAffinityV2, "updated_by", false, true, false, true},
		{antiAffinityV2, "categories[0]", false, false, false, true},
		{provider.Output, "control_plane_category_uuid", false, false, true, true},
		{provider.Output, "vm_uuid", true, false, true, true},
	} {
		t.Run(test.resourceType+"/"+test.attribute, func(t *testing.T) {
			assert.Equal(t, test.particular, generation.Particular(test.resourceType, test.attribute), "particular")
			assert.Equal(t, test.observed, generation.Observed(test.resourceType, test.attribute), "observed")
			assert.Equal(t, test.derived, generation.Derived(test.resourceType, test.attribute), "derived")
			assert.Equal(t, test.identifying, generation.Identifying(test.resourceType, test.attribute), "identifying")
		})
	}
}
