package tfmodules_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/tfmodules"
	"github.com/capnt/capnt/tfmodules/terraformtest"
)

// TestModules formats, validates and tests each module with Terraform. It uses each provider that was built.
func TestModules(t *testing.T) {
	for _, built := range toolbox.Providers(t) {
		for _, api := range apisOf(built) {
			for _, role := range []string{tfmodules.RoleMachine, tfmodules.RoleCluster} {
				t.Run(built.String()+"/"+api+"/"+role, func(t *testing.T) {
					t.Parallel()
					directory := terraformtest.NewWithProvider(t, built, sourceFiles(t, filepath.Join(api, role)))

					directory.Run("fmt", "-check", "-diff", "-recursive")
					directory.Run("init", "-input=false", "-no-color")
					directory.Run("validate", "-no-color")
					t.Logf("%s", directory.Run("test", "-no-color"))
				})
			}
		}
	}
}

// apisOf returns the APIs whose modules a provider supports.
func apisOf(built toolbox.Provider) []string {
	var apis []string
	if built.HasV3() {
		apis = append(apis, tfmodules.APIV3)
	}
	if built.HasV4() {
		apis = append(apis, tfmodules.APIV4)
	}
	return apis
}

func TestFilesContainOnlyConfiguration(t *testing.T) {
	for _, api := range []string{tfmodules.APIV3, tfmodules.APIV4} {
		for _, role := range []string{tfmodules.RoleMachine, tfmodules.RoleCluster} {
			files, err := tfmodules.Files(api, role)
			require.NoError(t, err)

			var names []string
			for name, content := range files {
				names = append(names, name)
				assert.NotEmpty(t, content, name)
			}
			slices.Sort(names)
			assert.Equal(t, []string{"main.tf", "outputs.tf", "variables.tf", "versions.tf"}, names, api+"/"+role)
		}
	}
}

func TestFilesReturnsCopies(t *testing.T) {
	files, err := tfmodules.Files(tfmodules.APIV3, tfmodules.RoleCluster)
	require.NoError(t, err)
	clear(files["main.tf"])

	again, err := tfmodules.Files(tfmodules.APIV3, tfmodules.RoleCluster)
	require.NoError(t, err)
	assert.Contains(t, string(again["main.tf"]), "nutanix_category_value")
}

func TestFilesOfUnknownModule(t *testing.T) {
	_, err := tfmodules.Files("v9", tfmodules.RoleMachine)
	assert.ErrorContains(t, err, `Prism API "v9"`)
}

// sourceFiles reads the files of a module and its tests from the repository.
func sourceFiles(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	}))
	return files
}
