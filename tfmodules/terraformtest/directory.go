// Package terraformtest runs the real terraform on modules and workspaces in tests, with the provider from the local
// mirror and without a Prism Central.
package terraformtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// Directory is a temporary directory with a root module in it.
type Directory struct {
	t    testing.TB
	path string
	env  []string
}

// New writes files (slash-separated paths) into a temporary directory, beside the lock file of the mirror. Nothing of
// the caller's environment reaches the runs.
func New(t testing.TB, files map[string][]byte) Directory {
	t.Helper()
	home, path := t.TempDir(), t.TempDir()
	d := Directory{t: t, path: path, env: []string{
		"HOME=" + home,
		"PATH=/usr/bin:/bin",
		"CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1",
		"TF_CLI_CONFIG_FILE=" + filepath.Join(home, "terraform.rc"),
		// Planning the creation of something asks Prism nothing; the provider only wants to see an address.
		"NUTANIX_ENDPOINT=127.0.0.1",
		"NUTANIX_USERNAME=nobody",
		"NUTANIX_PASSWORD=nothing",
	}}
	mirror := toolbox.Path(t, "mirror")
	cliConfig := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	require.NoError(t, os.WriteFile(filepath.Join(home, "terraform.rc"), []byte(cliConfig), 0o600))

	lock, err := os.ReadFile(filepath.Join(mirror, ".terraform.lock.hcl"))
	require.NoError(t, err, "reading the lock file of the provider mirror: run `make tools`")
	d.Write(".terraform.lock.hcl", lock)
	for name, content := range files {
		d.Write(name, content)
	}
	return d
}

// Write adds or replaces a file.
func (d Directory) Write(name string, content []byte) {
	d.t.Helper()
	path := filepath.Join(d.path, filepath.FromSlash(name))
	require.NoError(d.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(d.t, os.WriteFile(path, content, 0o600))
}

// Run runs terraform there and returns its standard output. The test fails when terraform does.
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
