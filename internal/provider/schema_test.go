package provider_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
)

// TestTableContainsEveryConfigurableAttribute proves that the table is complete. A missing attribute would have class Replace.
func TestTableContainsEveryConfigurableAttribute(t *testing.T) {
	for version, schema := range schemas(t) {
		generation, err := provider.ForVersion(version)
		require.NoError(t, err)
		for _, resource := range resourceTypes(generation) {
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
