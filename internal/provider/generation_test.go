package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
)

func TestForVersionFindsTheGeneration(t *testing.T) {
	for version, switchesOn := range map[string]bool{
		"1.9.5": true, "1.9.6": true, "1.10.0": true,
		"2.0.0": false, "2.4.2": false, "2.5.0-beta.1": false, "2.0.0-beta.1": false,
	} {
		t.Run(version, func(t *testing.T) {
			generation, err := provider.ForVersion(version)
			require.NoError(t, err)
			assert.Equal(t, switchesOn, generation.SwitchesOnWithEveryUpdate)
			assert.NotEmpty(t, generation.String())
		})
	}
}

func TestModulesForV4SupportProvidersSince24(t *testing.T) {
	for version, v4 := range map[string]bool{"1.9.5": false, "2.0.0": false, "2.3.4": false, "2.4.0": true, "2.4.0-beta.1": true, "2.4.2": true, "2.9.0": true} {
		t.Run(version, func(t *testing.T) {
			generation, err := provider.ForVersion(version)
			require.NoError(t, err)
			assert.Equal(t, v4, generation.V4)
		})
	}
}

func TestForVersionRefusesUnsupportedVersions(t *testing.T) {
	for _, version := range []string{"", "v1.9.5", "~> 1.9", "1.9.4", "0.9.0", "3.0.0"} {
		t.Run(version, func(t *testing.T) {
			_, err := provider.ForVersion(version)
			assert.ErrorContains(t, err, version)
		})
	}
}

func TestClassesAreOrdered(t *testing.T) {
	classes := []provider.Class{provider.None, provider.PowerCycle, provider.Replace, provider.Destroy}
	assert.IsIncreasing(t, classes)
	var names []string
	for _, class := range classes {
		names = append(names, class.String())
	}
	assert.Equal(t, []string{"None", "PowerCycle", "Replace", "Destroy"}, names)
}

func TestDisruptionOfAnAttribute(t *testing.T) {
	const machine, key, value = "nutanix_virtual_machine", "nutanix_category_key", "nutanix_category_value"
	for _, test := range []struct {
		resourceType, attribute string
		v1, v2                  provider.Class
	}{
		{machine, "name", provider.None, provider.None},
		{machine, "description", provider.None, provider.None},
		{machine, "categories", provider.None, provider.None},
		{machine, "categories[0].value", provider.None, provider.None},
		{machine, "timeouts", provider.None, provider.None},
		{machine, "cloud_init_cdrom_uuid", provider.None, provider.None},
		{machine, "cluster_uuid", provider.PowerCycle, provider.PowerCycle},
		{machine, "memory_size_mib", provider.PowerCycle, provider.PowerCycle},
		{machine, "disk_list[0].disk_size_mib", provider.PowerCycle, provider.PowerCycle},
		{machine, "project_reference.uuid", provider.PowerCycle, provider.PowerCycle},
		{machine, "boot_type", provider.Replace, provider.Replace},
		{machine, "guest_customization_cloud_init_user_data", provider.Replace, provider.Replace},
		{machine, "serial_port_list", provider.Replace, provider.Replace},
		{machine, "power_state", provider.Replace, provider.PowerCycle},
		{machine, "id", provider.Replace, provider.Replace},
		{machine, "added_by_a_later_version", provider.Replace, provider.Replace},
		{machine, "", provider.Replace, provider.Replace},
		{key, "description", provider.None, provider.None},
		{key, "name", provider.None, provider.None},
		{value, "name", provider.None, provider.None},
		{value, "value", provider.Replace, provider.Replace},
		{value, "added_by_a_later_version", provider.Replace, provider.Replace},
		{"nutanix_image", "name", provider.Replace, provider.Replace},
	} {
		t.Run(test.resourceType+"/"+test.attribute, func(t *testing.T) {
			for version, want := range map[string]provider.Class{"1.9.5": test.v1, "2.4.2": test.v2} {
				generation, err := provider.ForVersion(version)
				require.NoError(t, err)
				assert.Equal(t, want, generation.Disruption(test.resourceType, test.attribute), version)
			}
		})
	}
}
