package provider_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/tfmodules/terraformtest"
)

func TestAttributesOfDigests(t *testing.T) {
	const machine, key = "nutanix_virtual_machine", "nutanix_category_key"
	for _, test := range []struct {
		resourceType, attribute       string
		particular, observed, derived bool
	}{
		{machine, "name", true, false, false},
		{machine, "description", true, false, false},
		{machine, "disk_list[12].uuid", true, false, false},
		{machine, "nic_list[0].ip_endpoint_list[1].ip", true, false, false},
		{machine, "nic_list[0].mac_address", true, false, false},
		{machine, "guest_customization_cloud_init_user_data", true, false, false},
		{machine, `guest_customization_sysprep["My Key"]`, true, false, false},
		{machine, "metadata.spec_version", true, true, false},
		{machine, "power_state", false, true, false},
		{machine, "power_state_mechanism", false, false, false},
		{machine, "nic_list[0].subnet_uuid", false, false, false},
		{machine, "memory_size_mib", false, false, false},
		{machine, "disk_list[0].disk_size_mib", false, false, false},
		{machine, "disk_list[0].disk_size_bytes", false, false, true},
		{machine, "disk_list[0].data_source_reference.kind", false, false, true},
		{machine, "disk_list[0].data_source_reference.uuid", false, false, false},
		{machine, "disk_list[0]", false, false, false},
		{key, "name", false, false, false},
		{key, "system_defined", false, true, false},
		{provider.Output, "vm_uuid", true, false, true},
		{provider.Output, "addresses", true, true, true},
		{provider.Output, "added_later", false, false, false},
		{"nutanix_image", "name", false, false, false},
	} {
		t.Run(test.resourceType+"/"+test.attribute, func(t *testing.T) {
			for _, version := range []string{"1.9.5", "2.4.2"} {
				generation, err := provider.ForVersion(version)
				require.NoError(t, err)
				assert.Equal(t, test.particular, generation.Particular(test.resourceType, test.attribute))
				assert.Equal(t, test.observed, generation.Observed(test.resourceType, test.attribute))
				assert.Equal(t, test.derived, generation.Derived(test.resourceType, test.attribute))
			}
		})
	}
}

func TestIdentifyingAttributes(t *testing.T) {
	generation, err := provider.ForVersion("2.4.2")
	require.NoError(t, err)
	const machine = "nutanix_virtual_machine"
	assert.True(t, generation.Identifying(machine, "disk_list[3].uuid"))
	assert.True(t, generation.Identifying(machine, "nic_list[0].ip_endpoint_list[0].ip"))
	assert.False(t, generation.Identifying(machine, "nic_list[0].mac_address"))
	assert.False(t, generation.Identifying(machine, "boot_type"))
	assert.True(t, generation.Identifying("nutanix_category_value", "value"), "a type without a list")
}

// TestObservedAttributesAreComputed proves that every attribute that can only be read is listed as observed, and that the lists contain no
// attribute that the provider does not have.
func TestObservedAttributesAreComputed(t *testing.T) {
	for version, schema := range schemas(t) {
		generation, err := provider.ForVersion(version)
		require.NoError(t, err)
		for _, resource := range resourceTypes(generation) {
			block := schema.ResourceSchemas[resource].Block
			for name, attribute := range block.Attributes {
				computed := !attribute.Optional && !attribute.Required
				if computed {
					assert.True(t, generation.Observed(resource, name), "%s: %s.%s", version, resource, name)
				}
			}
			for _, path := range generation.ListedAttributes(resource) {
				assert.True(t, has(block, path), "%s: %s.%s", version, resource, path)
			}
		}
	}
}

// resourceTypes returns the resource types in the modules that support a generation.
func resourceTypes(generation *provider.Generation) []string {
	types := []string{"nutanix_virtual_machine", "nutanix_category_key", "nutanix_category_value"}
	if generation.V4 {
		types = append(types, "nutanix_virtual_machine_v2", "nutanix_category_v2", "nutanix_vm_anti_affinity_policy_v2")
	}
	return types
}

// has reports whether a block has an attribute or a nested block at a path. Below an attribute it does not check the path, because the
// attribute can be a map.
func has(block *tfjson.SchemaBlock, path string) bool {
	name, rest, _ := strings.Cut(path, ".")
	if nested := block.NestedBlocks[name]; nested != nil && rest != "" {
		return has(nested.Block, rest)
	}
	return block.Attributes[name] != nil || block.NestedBlocks[name] != nil
}

// schemas returns the schemas of the providers in the mirror and the recorded schema of 2.4.2.
func schemas(t *testing.T) map[string]*tfjson.ProviderSchema {
	t.Helper()
	content, err := os.ReadFile("../../tfmodules/testdata/provider-schema-2.4.2.json")
	require.NoError(t, err)
	recorded := &tfjson.ProviderSchema{}
	require.NoError(t, json.Unmarshal(content, recorded))
	found := map[string]*tfjson.ProviderSchema{"2.4.2": recorded}
	for _, version := range toolbox.ProviderVersions(t) {
		found[version] = terraformtest.ProviderSchema(t, toolbox.Provider{Version: version})
	}
	return found
}
