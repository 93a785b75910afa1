package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		output  string
		want    Binary
		failure string
	}{
		"terraform":     {output: "Terraform v1.11.4\non linux_amd64\n", want: Binary{"/bin/x", "terraform", "1.11.4"}},
		"outdated note": {output: "Terraform v1.9.0\non linux_amd64\n\nYour version of Terraform is out of date! The latest version\nis 1.14.0.\n", want: Binary{"/bin/x", "terraform", "1.9.0"}},
		"opentofu":      {output: "OpenTofu v1.12.6\non linux_amd64\n", want: Binary{"/bin/x", "tofu", "1.12.6"}},
		"pre-release":   {output: "OpenTofu v1.8.0-dev\n", want: Binary{"/bin/x", "tofu", "1.8.0-dev"}},
		"too old":       {output: "Terraform v1.6.6\n", failure: "install 1.7.0 or newer"},
		"old tofu":      {output: "OpenTofu v1.7.3\n", failure: "install 1.8.0 or newer"},
		"another":       {output: "Packer v1.9.0\n", failure: "neither Terraform nor OpenTofu"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary, err := parseVersion("/bin/x", test.output)
			if test.failure != "" {
				require.ErrorContains(t, err, test.failure)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, binary)
		})
	}
}

// fakeBinary creates a program that only prints a version, as terraform or tofu does.
func fakeBinary(t *testing.T, dir, name, version string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho '"+version+"'\n"), 0o755))
	return path
}

// TestFindOrder changes PATH, so it must not run in parallel with other tests.
func TestFindOrder(t *testing.T) {
	dir := t.TempDir()
	named := toolbox.Path(t, "bin/terraform")
	t.Setenv("PATH", filepath.Join(dir, "path"))

	binary, err := Find(t.Context(), FindOptions{Path: named})
	require.NoError(t, err)
	assert.Equal(t, named, binary.Path)

	_, err = Find(t.Context(), FindOptions{})
	for _, part := range []string{"--terraform-path is not set", "PATH has no terraform >= 1.7.0 or tofu >= 1.8.0", "none was downloaded", "allow the download"} {
		require.ErrorContains(t, err, part)
	}

	tofu := fakeBinary(t, filepath.Join(dir, "path"), "tofu", "OpenTofu v1.12.6")
	binary, err = Find(t.Context(), FindOptions{})
	require.NoError(t, err)
	assert.Equal(t, Binary{tofu, "tofu", "1.12.6"}, binary)

	old := fakeBinary(t, filepath.Join(dir, "path"), "terraform", "Terraform v1.5.7")
	binary, err = Find(t.Context(), FindOptions{})
	require.NoError(t, err, "a terraform that is too old is passed over")
	assert.Equal(t, tofu, binary.Path)

	_, err = Find(t.Context(), FindOptions{Path: old})
	require.ErrorContains(t, err, "--terraform-path", "a named binary is used or refused, never replaced")

	require.NoError(t, os.Remove(tofu))
	install := filepath.Join(dir, "install")
	kept := fakeBinary(t, install, "terraform", "Terraform v1.11.4")
	binary, err = Find(t.Context(), FindOptions{AllowDownload: true, InstallDir: install})
	require.NoError(t, err, "an earlier download is found again")
	assert.Equal(t, kept, binary.Path)
}

func TestNewValidatesConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	require.ErrorContains(t, err, "Binary.Path is empty")
	_, err = New(Config{Binary: Binary{Path: "/bin/true"}, MirrorDir: t.TempDir()})
	require.ErrorContains(t, err, "unpacked filesystem mirror")
	_, err = New(Config{Binary: Binary{Path: "/bin/true"}, ScratchDir: "/" + strings.Repeat("a", 71)})
	require.ErrorContains(t, err, "at most 71 bytes")
}
