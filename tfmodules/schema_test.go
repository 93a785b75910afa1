package tfmodules

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The modules fit provider 2.4.2 too, by its schema (`terraform providers schema -json`, cut down to the resources that the
// modules use). With provider 1.9.5 Terraform itself validates them.
func TestModulesFitTheSchemaOfProvider242(t *testing.T) {
	content, err := os.ReadFile("testdata/provider-schema-2.4.2.json")
	require.NoError(t, err)
	var schema tfjson.ProviderSchema
	require.NoError(t, json.Unmarshal(content, &schema))

	checked := map[string]bool{}
	for _, role := range []string{RoleCluster, RoleMachine} {
		files, err := Files(APIV3, role)
		require.NoError(t, err)
		for name, content := range files {
			for _, block := range parse(t, name, content).Blocks {
				if block.Type != "resource" || !strings.HasPrefix(block.Labels[0], "nutanix_") {
					continue
				}
				resource := schema.ResourceSchemas[block.Labels[0]]
				require.NotNil(t, resource, block.Labels[0])
				checkBody(t, block.Labels[0], block.Body, resource.Block)
				checked[block.Labels[0]] = true
			}
		}
	}
	assert.Equal(t, map[string]bool{"nutanix_virtual_machine": true, "nutanix_category_key": true, "nutanix_category_value": true}, checked)
}

func parse(t *testing.T, name string, content []byte) *hclsyntax.Body {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	require.False(t, diagnostics.HasErrors(), diagnostics.Error())
	return file.Body.(*hclsyntax.Body)
}

// metaArguments belong to Terraform, not to the provider.
var metaArguments = map[string]bool{"count": true, "for_each": true, "depends_on": true, "provider": true, "lifecycle": true, "timeouts": true}

// checkBody proves that every argument exists and may be set, that every block exists, and that nothing required is missing.
func checkBody(t *testing.T, path string, body *hclsyntax.Body, schema *tfjson.SchemaBlock) {
	t.Helper()
	for name := range body.Attributes {
		if metaArguments[name] {
			continue
		}
		attribute := schema.Attributes[name]
		if assert.NotNil(t, attribute, "%s.%s is not in the schema", path, name) {
			assert.True(t, attribute.Optional || attribute.Required, "%s.%s cannot be set", path, name)
		}
	}
	for name, attribute := range schema.Attributes {
		if attribute.Required {
			assert.Contains(t, body.Attributes, name, "%s.%s is required", path, name)
		}
	}
	for _, block := range body.Blocks {
		name, content := block.Type, block.Body
		if block.Type == "dynamic" {
			name, content = block.Labels[0], block.Body.Blocks[0].Body
		}
		if metaArguments[name] {
			continue
		}
		nested := schema.NestedBlocks[name]
		if assert.NotNil(t, nested, "%s.%s is no block in the schema", path, name) {
			checkBody(t, path+"."+name, content, nested.Block)
		}
	}
}
