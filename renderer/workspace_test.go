package renderer_test

import (
	"maps"
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

func TestWithMigration(t *testing.T) {
	workspace, err := renderer.RenderMachine(settingsV4(), inV4(minimalMachine()))
	require.NoError(t, err)
	migrated := workspace.WithMigration([]renderer.Import{{Address: renderer.MachineAddressV4, ID: "id-1"}}, renderer.MachineAddress)

	assert.Equal(t, workspace.Digest, migrated.Digest, "the digest does not cover the way to the workspace")
	assert.NotContains(t, workspace.Files, renderer.MigrationFile, "the workspace itself must stay as it was")
	assert.Contains(t, string(migrated.Files[renderer.MigrationFile]), "to = module.machine.nutanix_virtual_machine_v2.this\n")
	assert.Contains(t, string(migrated.Files[renderer.MigrationFile]), "from = module.machine.nutanix_virtual_machine.this\n")
	assert.Contains(t, string(migrated.Files[renderer.MigrationFile]), "destroy = false")
	assert.Len(t, migrated.Files, len(workspace.Files)+1)
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

func TestWithObserved(t *testing.T) {
	workspace, err := renderer.RenderMachine(settingsV4(), inV4(minimalMachine()))
	require.NoError(t, err)
	observed := workspace.WithObserved([]renderer.Ref{{UUID: categoryUUID, Name: "CostCenter: 42"}}, "OFF")

	assert.Equal(t, workspace.Digest, observed.Digest, "the digest does not cover observed values")
	assert.Contains(t, string(workspace.Files["power.tf"]), `"ON"`, "the workspace itself must stay as it was")
	assert.Contains(t, string(observed.Files["power.tf"]), `"OFF"`)
	assert.Contains(t, string(observed.Files["foreign.tf"]), categoryUUID)
	assert.Len(t, observed.Files, len(workspace.Files))
}

func TestAddressesOfMachine(t *testing.T) {
	assert.Equal(t, renderer.MachineAddress, renderer.API("").MachineAddress())
	assert.Equal(t, renderer.MachineAddress, renderer.APIV3.MachineAddress())
	assert.Equal(t, renderer.MachineAddressV4, renderer.APIV4.MachineAddress())
}

func TestAddressesInWorkspaceOfOtherAPI(t *testing.T) {
	for _, api := range []renderer.API{"", renderer.APIV3} {
		assert.Equal(t, renderer.MachineAddressV4, api.Other().MachineAddress())
		assert.Equal(t, []string{renderer.CategoryAddressV4}, api.Other().CategoryAddresses())
	}
	assert.Equal(t, renderer.MachineAddress, renderer.APIV4.Other().MachineAddress())
	assert.Equal(t, []string{renderer.CategoryKeyAddress, renderer.CategoryValueAddress}, renderer.APIV4.Other().CategoryAddresses())
}

func TestExport(t *testing.T) {
	workspace, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)
	rendered := maps.Clone(workspace.Files)
	exported := workspace.Export([]byte("state"), map[string][]byte{renderer.ForeignCategoriesFile: []byte("# observed")})

	want := maps.Clone(rendered)
	delete(want, "backend.tf") // Terraform finds the state in the directory
	want[renderer.StateFileName] = []byte("state")
	want[renderer.ForeignCategoriesFile] = []byte("# observed")
	want["terraform.tfvars"] = []byte("user_data = \"\"\n")
	want["README.md"] = exported["README.md"]
	assert.Equal(t, want, exported)
	assert.Contains(t, string(exported["README.md"]), "terraform plan")
	assert.Equal(t, rendered, workspace.Files, "the workspace itself must stay as it was")
}

func TestExportWithoutUserData(t *testing.T) {
	workspace, err := renderer.RenderCluster(settings(), renderer.Cluster{CategoryKey: "KubernetesClusterName", CategoryValue: "c"})
	require.NoError(t, err)
	assert.NotContains(t, workspace.Export([]byte("state"), nil), "terraform.tfvars", "Terraform warns about values of undeclared variables")
}

func TestWithImportOfInvalidAddress(t *testing.T) {
	workspace, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)

	imported := workspace.WithImport("x } resource", "${id}")
	assert.Equal(t, "import {\n  to = \"x } resource\"\n  id = \"$${id}\"\n}\n", string(imported.Files["import.tf"]))
}
