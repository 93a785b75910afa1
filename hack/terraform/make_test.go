package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// makeTerraform makes the link that tests and demo follow, in tools of its own.
func makeTerraform(t *testing.T, tools, named string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-C", "../..",
		"TOOLS="+tools, "TERRAFORM="+named, filepath.Join(tools, "bin/terraform"))
	command.Env = append(os.Environ(), "MAKEFLAGS=") // the tests are run by make themselves
	output, err := command.CombinedOutput()
	return string(output), err
}

func TestMakeTakesTheTerraformThatIsNamed(t *testing.T) {
	tools := t.TempDir()
	output, err := makeTerraform(t, tools, filepath.Join(tools, "no-such-terraform"))
	require.Error(t, err)
	assert.Contains(t, output, "no-such-terraform")
	assert.NotContains(t, output, "OpenTofu instead", "what is named is not replaced by another")
	assert.NoFileExists(t, filepath.Join(tools, "bin/terraform"))

	right := toolbox.Path(t, "bin/terraform")
	output, err = makeTerraform(t, tools, right)
	require.NoError(t, err, output)
	link, err := os.Readlink(filepath.Join(tools, "bin/terraform"))
	require.NoError(t, err)
	assert.Equal(t, right, link)

	output, err = makeTerraform(t, tools, filepath.Join(tools, "no-such-terraform"))
	require.Error(t, err, "a link that is there does not hide a mistake: %s", output)
}
