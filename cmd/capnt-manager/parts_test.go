package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/terraform"
)

func TestCheckMirror(t *testing.T) {
	mirror := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(mirror, terraform.ProviderSource, "1.9.5", "linux_amd64"), 0o700))

	require.NoError(t, checkMirror(mirror, "1.9.5"))
	err := checkMirror(mirror, "2.4.2")
	require.ErrorContains(t, err, "--provider-mirror="+mirror)
	require.ErrorContains(t, err, "in version 1.9.5, but --provider-version=2.4.2")
	assert.ErrorContains(t, checkMirror(t.TempDir(), "1.9.5"), terraform.ProviderSource+" is not in it")
}
