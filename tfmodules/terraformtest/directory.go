// Package terraformtest runs the real Terraform in tests of modules and workspaces. Terraform uses the provider from the local mirror. No
// Prism Central is needed.
package terraformtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// Directory is a temporary directory that contains a root module.
type Directory struct {
	t    testing.TB
	path string
	env  []string
}

// ProviderVersion is the version of the provider that New uses. Every mirror contains this version.
const ProviderVersion = "1.9.5"

// New creates a temporary directory with files and with the lock file of the provider. The keys of files are slash-separated paths.
// Terraform does not inherit the environment of the test.
func New(t testing.TB, files map[string][]byte) Directory {
	t.Helper()
	return NewWithProvider(t, toolbox.Provider{Version: ProviderVersion}, files)
}

// NewWithProvider is like New, but uses another provider.
func NewWithProvider(t testing.TB, provider toolbox.Provider, files map[string][]byte) Directory {
	t.Helper()
	home, path := t.TempDir(), t.TempDir()
	d := Directory{t: t, path: path, env: []string{
		"HOME=" + home,
		"PATH=/usr/bin:/bin",
		"CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1",
		"TF_CLI_CONFIG_FILE=" + filepath.Join(home, "terraform.rc"),
		// The provider requires an address, but a plan that only creates resources sends no requests to Prism Central.
		"NUTANIX_ENDPOINT=127.0.0.1",
		"NUTANIX_USERNAME=nobody",
		"NUTANIX_PASSWORD=nothing",
	}}
	cliConfig := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", provider.Mirror(t))
	require.NoError(t, os.WriteFile(filepath.Join(home, "terraform.rc"), []byte(cliConfig), 0o600))

	d.Write(".terraform.lock.hcl", provider.Lock(t))
	for name, content := range files {
		d.Write(name, content)
	}
	return d
}

// ProviderSchema returns the schema of a provider.
func ProviderSchema(t testing.TB, provider toolbox.Provider) *tfjson.ProviderSchema {
	t.Helper()
	directory := NewWithProvider(t, provider, map[string][]byte{"main.tf": fmt.Appendf(nil, `terraform {
  required_providers {
    nutanix = {
      source  = %q
      version = "= %s"
    }
  }
}
`, providerSource, provider.Version)})
	directory.Run("init", "-input=false", "-no-color")
	var schemas tfjson.ProviderSchemas
	require.NoError(t, json.Unmarshal(directory.Run("providers", "schema", "-json"), &schemas))
	require.Contains(t, schemas.Schemas, providerSource)
	return schemas.Schemas[providerSource]
}

const providerSource = "registry.terraform.io/nutanix/nutanix"

// Write adds or replaces a file.
func (d Directory) Write(name string, content []byte) {
	d.t.Helper()
	path := filepath.Join(d.path, filepath.FromSlash(name))
	require.NoError(d.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(d.t, os.WriteFile(path, content, 0o600))
}

// Run runs terraform with arguments in the directory and returns its standard output. The test fails if terraform fails.
func (d Directory) Run(arguments ...string) []byte {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), toolbox.Path(d.t, "bin/terraform"), arguments...)
	command.Dir, command.Env = d.path, d.env
	output, err := command.Output()
	if err != nil {
		var stderr []byte
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			stderr = exit.Stderr
		}
		require.NoError(d.t, err, "running terraform %v:\n%s%s", arguments, output, stderr)
	}
	return output
}
