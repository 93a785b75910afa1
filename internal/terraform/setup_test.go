package terraform

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// binaries returns Terraform and, if it is built, OpenTofu.
func binaries(t *testing.T) []Binary {
	t.Helper()
	paths := []string{toolbox.Path(t, "bin/terraform")}
	if tofu := filepath.Join(toolbox.Dir(), "bin", "tofu"); fileExists(tofu) {
		paths = append(paths, tofu)
	}
	var found []Binary
	for _, path := range paths {
		binary, err := Find(t.Context(), FindOptions{Path: path})
		require.NoError(t, err)
		if len(found) == 0 || found[0].Product != binary.Product {
			found = append(found, binary)
		}
	}
	return found
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// eachBinary runs test once for each binary, in parallel subtests.
func eachBinary(t *testing.T, test func(t *testing.T, terraform *Terraform)) {
	t.Helper()
	t.Parallel()
	for _, binary := range binaries(t) {
		t.Run(binary.Product, func(t *testing.T) {
			t.Parallel()
			test(t, newTerraform(t, Config{Binary: binary}))
		})
	}
}

// newTerraform creates a Terraform with default values for the missing fields of config. At the end of the test it checks that no run
// directory is left.
func newTerraform(t *testing.T, config Config) *Terraform {
	t.Helper()
	if config.Binary.Path == "" {
		config.Binary = binaries(t)[0]
	}
	config.MirrorDir = toolbox.Path(t, "mirror")
	// The path that t.TempDir returns is too long for the sockets of providers.
	scratch, err := os.MkdirTemp("", "scratch-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(scratch), "run directories must be removed") })
	config.ScratchDir = scratch
	terraform, err := New(config)
	require.NoError(t, err)
	return terraform
}

// open opens a run and closes it at the end of the test.
func open(t *testing.T, terraform *Terraform, options RunOptions) *Run {
	t.Helper()
	run, err := terraform.Open(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, run.Close()) })
	return run
}

// apply makes a plan and applies it.
func apply(t *testing.T, run *Run) {
	t.Helper()
	plan, err := run.Plan(t.Context(), PlanOptions{})
	require.NoError(t, err)
	require.NoError(t, run.Apply(t.Context(), plan.Bytes))
}

// workspace returns the files of a workspace that contains the given backend block and body.
func workspace(backend, body string) map[string][]byte {
	return map[string][]byte{"main.tf": []byte(backend + body)}
}

// requiredProvider is a part of every workspace that the manager renders.
const requiredProvider = `
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "1.9.5"
    }
  }
}
`

// oneResource returns a workspace body with one resource whose attribute input can be changed.
func oneResource(input string) string {
	return requiredProvider + `
resource "terraform_data" "this" {
  input = "` + input + `"
}
output "input" {
  value = terraform_data.this.output
}
`
}

// slowResource returns a workspace body with one resource. Its creation creates the file started and then waits until the file release
// exists.
func slowResource(started, release string) string {
	return `
resource "terraform_data" "first" {
  input = "first"
}
resource "terraform_data" "slow" {
  input = terraform_data.first.output
  provisioner "local-exec" {
    command = "touch ` + started + `; until [ -e ` + release + ` ]; do sleep 0.05; done"
  }
}
`
}

// waitForFile waits until a file exists.
func waitForFile(t *testing.T, path string) {
	t.Helper()
	require.Eventually(t, func() bool { return fileExists(path) }, time.Minute, 10*time.Millisecond, "waiting for %s", path)
}

// writeFile creates an empty file.
func writeFile(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
}

// filesContaining returns the files below dir whose content contains text.
func filesContaining(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), text) {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// cancelable returns a context and its cancel function. The context is also canceled at the end of the test.
func cancelable(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
