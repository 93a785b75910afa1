package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/internal/toolbox"
)

// TestDigestDoesNotDependOnTheFingerprintKey makes the same plan with two keys, with the real Terraform. The plan changes a secret and
// another attribute.
func TestDigestDoesNotDependOnTheFingerprintKey(t *testing.T) {
	binary, err := terraform.Find(t.Context(), terraform.FindOptions{Path: toolbox.Path(t, "bin/terraform")})
	require.NoError(t, err)
	state := filepath.Join(t.TempDir(), "terraform.tfstate")
	plan := func(key, secret, name string, apply bool) Record {
		scratch, err := os.MkdirTemp("", "scratch-") // the path that t.TempDir returns is too long for the sockets of providers
		require.NoError(t, err)
		defer func() { assert.NoError(t, os.Remove(scratch)) }()
		runner, err := terraform.New(terraform.Config{
			Binary: binary, MirrorDir: toolbox.Path(t, "mirror"), ScratchDir: scratch, FingerprintKey: []byte(key),
		})
		require.NoError(t, err)
		run, err := runner.Open(t.Context(), terraform.RunOptions{
			Files: map[string][]byte{"main.tf": fmt.Appendf(nil, `
terraform {
  backend "local" {
    path = %q
  }
}
variable "secret" {
  type      = string
  sensitive = true
}
resource "terraform_data" "this" {
  input = { secret = var.secret, name = %q }
}
`, state, name)},
			Variables: map[string]string{"secret": secret},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, run.Close()) }()
		made, err := run.Plan(t.Context(), terraform.PlanOptions{})
		require.NoError(t, err)
		if apply {
			require.NoError(t, run.Apply(t.Context(), made.Bytes))
		}
		return Build(machineOrigin(t), made.Bytes, made.JSON)
	}
	plan("first key", "old-secret", "old", true)
	first, second := plan("first key", "new-secret", "new", false), plan("second key", "new-secret", "new", false)

	assert.Equal(t, first.ChangeDigest, second.ChangeDigest)
	assert.Equal(t, first.ClassDigest, second.ClassDigest)
	assert.NotEqual(t, lines(first), lines(second), "another key makes other fingerprints")
	text := strings.Join(lines(first), "\n")
	assert.Regexp(t, `input\.secret: \(sensitive value [0-9a-f]{12}\) -> \(sensitive value [0-9a-f]{12}\)`, text)
	assert.Contains(t, text, "input.name: old -> new")
	assert.NotContains(t, text, "-secret")
}
