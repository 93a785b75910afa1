package renderer_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/renderer"
	"github.com/capnt/capnt/tfmodules"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenCases renders all workspaces for which golden files exist.
func goldenCases(t *testing.T) map[string]renderer.Workspace {
	t.Helper()
	workspaces := map[string]renderer.Workspace{}
	add := func(name string, workspace renderer.Workspace, err error) {
		require.NoError(t, err, name)
		workspaces[name] = workspace
	}
	for name, machine := range machineCases() {
		workspace, err := renderer.RenderMachine(settings(), machine)
		add(name, workspace, err)
	}
	for name, settings := range backendCases() {
		workspace, err := renderer.RenderMachine(settings, minimalMachine())
		add(name, workspace, err)
	}
	workspace, err := renderer.RenderCluster(settings(), renderer.Cluster{CategoryKey: "KubernetesClusterName", CategoryValue: "my-cluster"})
	add("cluster", workspace, err)
	workspaces["import"] = workspaces["minimal"].WithImport(renderer.MachineAddress, "00000000-0000-4000-8000-0000000000aa")
	workspaces["foreign-categories"] = workspaces["minimal"].WithForeignCategories(map[string]string{"CostCenter": "42", "Ünïcode ${x}": "a \"b\"\n%{if}"})
	return workspaces
}

// TestGolden compares the files of the root module with golden files byte by byte. The copied module files are compared with the original
// module.
func TestGolden(t *testing.T) {
	for name, workspace := range goldenCases(t) {
		t.Run(name, func(t *testing.T) {
			directory := filepath.Join("testdata", name)
			root := map[string]string{}
			for path, content := range workspace.Files {
				if isGolden(name, path) {
					root[path] = string(content)
				}
			}
			if *update {
				writeGolden(t, directory, root)
			}
			assert.Equal(t, readGolden(t, directory), root, "run the test with -update when the change is meant")
		})
	}
}

// isGolden reports whether a golden file exists for the file path in the case name. A file that is always the same as in the case
// "minimal" has no golden file of its own.
func isGolden(name, path string) bool {
	switch {
	case strings.HasPrefix(path, "modules/"):
		return false
	case strings.HasPrefix(name, "backend-"):
		return path == "backend.tf"
	case name == "import":
		return path == "import.tf"
	case name == "foreign-categories":
		return path == renderer.ForeignCategoriesFile
	default:
		return true
	}
}

func TestWorkspaceContainsModule(t *testing.T) {
	module, err := tfmodules.Files(tfmodules.APIV3, tfmodules.RoleMachine)
	require.NoError(t, err)
	files := goldenCases(t)["minimal"].Files

	for name, content := range module {
		assert.Equal(t, string(content), string(files["modules/machine/"+name]), name)
	}
	for path := range files {
		assert.NotContains(t, path, "test", "tests of the module do not belong into a workspace")
	}
}

func writeGolden(t *testing.T, directory string, files map[string]string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(directory))
	require.NoError(t, os.MkdirAll(directory, 0o755))
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name+".golden"), []byte(content), 0o644))
	}
}

func readGolden(t *testing.T, directory string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := fs.Glob(os.DirFS(directory), "*.golden")
	require.NoError(t, err)
	for _, name := range entries {
		content, err := os.ReadFile(filepath.Join(directory, name))
		require.NoError(t, err)
		files[strings.TrimSuffix(name, ".golden")] = string(content)
	}
	return files
}
