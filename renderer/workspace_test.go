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

func TestDigestNamesTheContent(t *testing.T) {
	base, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{64}$", base.Digest)

	seen := map[string]string{base.Digest: "base"}
	for name, change := range map[string]func(*renderer.Settings, *renderer.Machine){
		"name":             func(_ *renderer.Settings, m *renderer.Machine) { m.Name = "worker-2" },
		"memory":           func(_ *renderer.Settings, m *renderer.Machine) { m.MemoryMiB++ },
		"image":            func(_ *renderer.Settings, m *renderer.Machine) { m.Disks[0].Image.UUID = isoUUID },
		"cloud-init":       func(_ *renderer.Settings, m *renderer.Machine) { m.CloudInit = false },
		"provider version": func(s *renderer.Settings, _ *renderer.Machine) { s.ProviderVersion = "2.4.2" },
		"backend":          func(s *renderer.Settings, _ *renderer.Machine) { s.Backend.Config["namespace"] = "other" },
	} {
		changedSettings, changed := settings(), minimalMachine()
		change(&changedSettings, &changed)
		workspace, err := renderer.RenderMachine(changedSettings, changed)
		require.NoError(t, err, name)
		assert.Empty(t, seen[workspace.Digest], "%s must have a digest of its own", name)
		seen[workspace.Digest] = name
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

func TestWithImportOfWhatIsNoAddress(t *testing.T) {
	workspace, err := renderer.RenderMachine(settings(), minimalMachine())
	require.NoError(t, err)

	imported := workspace.WithImport("x } resource", "${id}")
	assert.Equal(t, "import {\n  to = \"x } resource\"\n  id = \"$${id}\"\n}\n", string(imported.Files["import.tf"]))
}
