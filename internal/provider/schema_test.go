package provider_test

import (
	"encoding/json"
	"os"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/tfmodules/terraformtest"
)

// TestTableContainsEveryConfigurableAttribute proves that the table is complete. A missing attribute would have class Replace. The test
// uses the schemas of the providers in the mirror and the recorded schema of 2.4.2.
func TestTableContainsEveryConfigurableAttribute(t *testing.T) {
	content, err := os.ReadFile("../../tfmodules/testdata/provider-schema-2.4.2.json")
	require.NoError(t, err)
	recorded := &tfjson.ProviderSchema{}
	require.NoError(t, json.Unmarshal(content, recorded))
	schemas := map[string]*tfjson.ProviderSchema{"2.4.2": recorded}
	for _, version := range toolbox.ProviderVersions(t) {
		schemas[version] = terraformtest.ProviderSchema(t, version)
	}
	for version, schema := range schemas {
		generation, err := provider.ForVersion(version)
		require.NoError(t, err)
		for _, resource := range []string{"nutanix_virtual_machine", "nutanix_category_key", "nutanix_category_value"} {
			block := schema.ResourceSchemas[resource].Block
			var names []string
			for name, attribute := range block.Attributes {
				if name != "id" && (attribute.Optional || attribute.Required) {
					names = append(names, name)
				}
			}
			for name := range block.NestedBlocks {
				names = append(names, name)
			}
			for _, name := range names {
				assert.True(t, generation.Knows(resource, name), "%s: %s.%s", version, resource, name)
			}
		}
	}
}
