package renderer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/renderer"
)

func TestRenderingIsDeterministic(t *testing.T) {
	first, err := renderer.RenderMachine(settings(), fullMachine())
	require.NoError(t, err)
	for range 20 {
		again, err := renderer.RenderMachine(settings(), fullMachine())
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestWithImport(t *testing.T) {
	workspace, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)
	imported := workspace.WithImport(renderer.MachineAddress, "id-1")

	assert.Equal(t, workspace.Digest, imported.Digest, "how an object comes into the state is no part of what is wanted")
	assert.NotContains(t, workspace.Files, "import.tf", "the workspace itself must stay as it was")
	assert.Contains(t, string(imported.Files["import.tf"]), "to = module.machine.nutanix_virtual_machine.this\n")
	assert.Len(t, imported.Files, len(workspace.Files)+1)
}

func TestWithForeignCategories(t *testing.T) {
	workspace, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)
	kept := workspace.WithForeignCategories(map[string]string{"CostCenter": "42"})

	assert.Equal(t, workspace.Digest, kept.Digest, "categories of others are no part of what is wanted")
	assert.NotContains(t, string(workspace.Files["foreign.tf"]), "CostCenter", "the workspace itself must stay as it was")
	assert.Equal(t, string(renderer.ForeignCategories(map[string]string{"CostCenter": "42"})), string(kept.Files["foreign.tf"]))
	assert.Len(t, kept.Files, len(workspace.Files))
}

func TestWithImportOfInvalidAddress(t *testing.T) {
	workspace, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)

	imported := workspace.WithImport("x } resource", "${id}")
	assert.Equal(t, "import {\n  to = \"x } resource\"\n  id = \"$${id}\"\n}\n", string(imported.Files["import.tf"]))
}
