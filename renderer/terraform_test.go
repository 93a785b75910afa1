package renderer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/renderer"
	"github.com/capnt/capnt/tfmodules/terraformtest"
)

// TestTerraformAcceptsGoldenFiles validates the rendered files with the real Terraform and the real provider. Without the provider for the v4
// API, its stand-in validates the files with this API.
func TestTerraformAcceptsGoldenFiles(t *testing.T) {
	for name, workspace := range goldenCases(t) {
		provider := toolbox.Provider{Version: terraformtest.ProviderVersion}
		if strings.HasPrefix(name, "v4-") {
			provider = toolbox.V4Providers(t)[0]
			require.Equal(t, settingsV4().ProviderVersion, provider.Version)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := terraformtest.NewWithProvider(t, provider, workspace.Files)
			directory.Run("init", "-backend=false", "-input=false", "-no-color")
			directory.Run("validate", "-no-color")
			directory.Run("fmt", "-check", "-diff", "-recursive")
		})
	}
}

// planned contains the fields that the tests need from the JSON form of a plan.
type planned struct {
	Changes []struct {
		Address string
		Change  struct {
			Actions []string
			After   struct {
				Name        string
				Description string
				Categories  []struct{ Name, Value string }
				UserData    string `json:"guest_customization_cloud_init_user_data"`
			}
		}
	} `json:"resource_changes"`
}

// TestStringsReachThePlanUnchanged proves that the provider gets strings from users unchanged. It uses a real plan.
func TestStringsReachThePlanUnchanged(t *testing.T) {
	vm := machineWithSpecialCharacters()
	workspace, err := renderer.RenderMachine(backend("local", nil), vm)
	require.NoError(t, err)
	directory := terraformtest.New(t, workspace.Files)
	directory.Write("user_data.auto.tfvars", []byte(`user_data = "I2Nsb3VkLWNvbmZpZwo="`))

	directory.Run("init", "-input=false", "-no-color")
	directory.Run("plan", "-input=false", "-no-color", "-out=plan.tfplan")
	var plan planned
	require.NoError(t, json.Unmarshal(directory.Run("show", "-json", "plan.tfplan"), &plan))

	require.Len(t, plan.Changes, 1)
	assert.Equal(t, renderer.MachineAddress, plan.Changes[0].Address)
	assert.Equal(t, []string{"create"}, plan.Changes[0].Change.Actions)
	after := plan.Changes[0].Change.After
	assert.Equal(t, vm.Name, after.Name)
	assert.Equal(t, vm.Description, after.Description)
	assert.Equal(t, []struct{ Name, Value string }{{specialCharacters, specialCharacters}}, after.Categories)
	assert.Equal(t, "I2Nsb3VkLWNvbmZpZwo=", after.UserData)
}

// TestClusterAddresses compares the exported addresses with the addresses in a real plan.
func TestClusterAddresses(t *testing.T) {
	workspace, err := renderer.RenderCluster(backend("local", nil), renderer.Cluster{CategoryKey: "KubernetesClusterName", CategoryValue: "c1"})
	require.NoError(t, err)
	directory := terraformtest.New(t, workspace.Files)

	directory.Run("init", "-input=false", "-no-color")
	directory.Run("plan", "-input=false", "-no-color", "-out=plan.tfplan")
	var plan planned
	require.NoError(t, json.Unmarshal(directory.Run("show", "-json", "plan.tfplan"), &plan))

	var addresses []string
	for _, change := range plan.Changes {
		addresses = append(addresses, change.Address)
	}
	assert.ElementsMatch(t, []string{renderer.CategoryKeyAddress, renderer.CategoryValueAddress}, addresses)
}
