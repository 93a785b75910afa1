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
	for name, machine := range machineCasesV4() {
		workspace, err := renderer.RenderMachine(settingsV4(), machine)
		add("v4-"+name, workspace, err)
	}
	workspace, err = renderer.RenderCluster(settingsV4(), renderer.Cluster{CategoryKey: "KubernetesClusterName", CategoryValue: "my-cluster"})
	add("v4-cluster", workspace, err)
	workspace, err = renderer.RenderCluster(settingsV4(), clusterWithControlPlane())
	add("v4-control-plane", workspace, err)
	workspaces["v4-imports"] = workspaces["v4-control-plane"].WithImports(map[string]string{
		renderer.ControlPlanePolicyAddress:   "00000000-0000-4000-8000-000000000071",
		renderer.ControlPlaneCategoryAddress: "00000000-0000-4000-8000-000000000072",
	})
	workspaces["v4-import"] = workspaces["v4-cluster"].WithImport(renderer.CategoryAddressV4, categoryUUID)
	workspaces["migration"] = workspaces["cluster"].WithMigration(
		[]renderer.Import{{Address: renderer.CategoryKeyAddress, ID: "KubernetesClusterName"}}, renderer.CategoryAddressV4)
	workspaces["v4-migration"] = workspaces["v4-cluster"].WithMigration(
		[]renderer.Import{{Address: renderer.CategoryAddressV4, ID: categoryUUID}}, renderer.CategoryKeyAddress, renderer.CategoryValueAddress)
	workspaces["v4-observed"] = workspaces["v4-minimal"].WithObserved([]renderer.Ref{
		{UUID: "00000000-0000-4000-8000-000000000062", Name: "Ünïcode ${x}: a \"b\"\n%{if}"},
		{UUID: "00000000-0000-4000-8000-000000000061", Name: "CostCenter: 42"},
	}, "OFF")
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
	case name == "import", name == "v4-import", name == "v4-imports":
		return path == "import.tf"
	case name == "migration", name == "v4-migration":
		return path == renderer.MigrationFile
	case name == "foreign-categories":
		return path == renderer.ForeignCategoriesFile
	case name == "v4-observed":
		return path == renderer.ForeignCategoriesFile || path == renderer.PowerStateFile
	default:
		return true
	}
}

func TestWorkspaceContainsModule(t *testing.T) {
	for name, api := range map[string]string{"minimal": tfmodules.APIV3, "v4-minimal": tfmodules.APIV4} {
		module, err := tfmodules.Files(api, tfmodules.RoleMachine)
		require.NoError(t, err)
		files := goldenCases(t)[name].Files

		for name, content := range module {
			assert.Equal(t, string(content), string(files["modules/machine/"+name]), name)
		}
		for path := range files {
			assert.NotContains(t, path, "test", "tests of the module do not belong into a workspace")
		}
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
