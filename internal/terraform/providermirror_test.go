package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/toolbox"
)

// testMirror is the directory of a mirror. Tests add versions to it.
type testMirror struct {
	t   *testing.T
	dir string
}

func newTestMirror(t *testing.T) testMirror {
	t.Helper()
	return testMirror{t, t.TempDir()}
}

// path returns the path of a file below the directory of a version.
func (m testMirror) path(version string, elements ...string) string {
	return filepath.Join(append([]string{m.dir, filepath.FromSlash(ProviderSource), version}, elements...)...)
}

// add adds a version for this platform without a lock file.
func (m testMirror) add(version string) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(m.path(version, runtime.GOOS+"_"+runtime.GOARCH), 0o700))
}

// lock writes a lock file to path. The lock file locks version.
func (m testMirror) lock(path, version string) {
	m.t.Helper()
	content := fmt.Appendf(nil, "# made by a test\n\nprovider %q {\n  version     = %q\n  constraints = %q\n}\n", ProviderSource, version, version)
	require.NoError(m.t, os.WriteFile(path, content, 0o600))
}

func TestMirrorHasSeveralVersions(t *testing.T) {
	t.Parallel()
	m := newTestMirror(t)
	for _, version := range []string{"2.4.2", "1.9.5", "1.10.0"} {
		m.add(version)
	}
	m.lock(m.path("2.4.2", lockFileName), "2.4.2")
	m.lock(m.path("1.10.0", lockFileName), "1.10.0")
	m.lock(filepath.Join(m.dir, lockFileName), "1.9.5")

	mirror, err := readMirror(m.dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"1.9.5", "1.10.0", "2.4.2"}, mirror.versions())
	assert.Empty(t, mirror.unusable)
	for version, want := range map[string]string{"1.9.5": "1.9.5", "1.10.0": "1.10.0", "2.4.2": "2.4.2", "": "1.9.5"} {
		lock, err := mirror.lock(version)
		require.NoError(t, err)
		assert.Equal(t, want, lockedVersion(lock))
	}
	_, err = mirror.lock("3.0.0")
	assert.ErrorContains(t, err, "has 1.9.5, 1.10.0, 2.4.2")
}

func TestMirrorWithoutUsableVersionIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		build func(m testMirror)
		want  []string
	}{
		"nothing":      {func(testMirror) {}, []string{"unpacked filesystem mirror"}},
		"no lock file": {func(m testMirror) { m.add("1.9.5") }, []string{"1.9.5", lockFileName}},
		"another platform": {func(m testMirror) {
			require.NoError(m.t, os.MkdirAll(m.path("1.9.5", "plan9_mips"), 0o700))
			m.lock(m.path("1.9.5", lockFileName), "1.9.5")
		}, []string{"1.9.5", runtime.GOOS}},
		"lock file of another version": {func(m testMirror) {
			m.add("1.9.5")
			m.lock(filepath.Join(m.dir, lockFileName), "2.4.2")
		}, []string{"does not lock", "1.9.5"}},
		"no lock in the file": {func(m testMirror) {
			m.add("1.9.5")
			require.NoError(m.t, os.WriteFile(filepath.Join(m.dir, lockFileName), []byte("# nothing\n"), 0o600))
		}, []string{"does not lock " + ProviderSource}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTestMirror(t)
			test.build(m)
			_, err := New(Config{Binary: Binary{Path: "/bin/true"}, MirrorDir: m.dir})
			for _, want := range append(test.want, m.dir) {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestUnusableVersionDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	m := newTestMirror(t)
	m.add("1.9.5")
	m.add("2.4.2")
	m.lock(filepath.Join(m.dir, lockFileName), "1.9.5")
	terraform, err := New(Config{Binary: Binary{Path: "/bin/true"}, MirrorDir: m.dir})
	require.NoError(t, err)
	assert.Equal(t, []string{"1.9.5"}, terraform.ProviderVersions())
	assert.ErrorContains(t, terraform.UnusableProviders()["2.4.2"], lockFileName)
}

// TestRunUsesItsProviderVersion proves that each run gets the lock file for its version, so that Terraform installs exactly that version.
func TestRunUsesItsProviderVersion(t *testing.T) {
	t.Parallel()
	// The mirror contains the same binary for both versions. Terraform distinguishes versions only by their directories.
	m := newTestMirror(t)
	binary := toolbox.Path(t, "bin/terraform-provider-nutanix")
	for _, version := range []string{"1.9.5", "1.9.6"} {
		m.add(version)
		target := m.path(version, runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-nutanix_v"+version)
		require.NoError(t, os.Symlink(binary, target))
		m.lock(m.path(version, lockFileName), version)
	}
	scratch, err := os.MkdirTemp("", "scratch-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(scratch)) })
	terraform, err := New(Config{Binary: binaries(t)[0], MirrorDir: m.dir, ScratchDir: scratch})
	require.NoError(t, err)

	files := func(version string) map[string][]byte {
		return map[string][]byte{"main.tf": fmt.Appendf(nil, `terraform {
  required_providers {
    nutanix = {
      source  = %q
      version = "= %s"
    }
  }
}
`, ProviderSource, version)}
	}
	for _, version := range terraform.ProviderVersions() {
		run := open(t, terraform, RunOptions{Files: files(version), ProviderVersion: version})
		installed, err := filepath.Glob(filepath.Join(run.dir.workspace(), ".terraform", "providers", filepath.FromSlash(ProviderSource), "*"))
		require.NoError(t, err)
		require.Len(t, installed, 1)
		assert.Equal(t, version, filepath.Base(installed[0]))
	}
	_, err = terraform.Open(t.Context(), RunOptions{Files: files("1.9.6"), ProviderVersion: "1.9.5"})
	require.Error(t, err, "the lock file of another version")
	_, err = terraform.Open(t.Context(), RunOptions{Files: files("2.4.2"), ProviderVersion: "2.4.2"})
	require.ErrorContains(t, err, strings.Join(terraform.ProviderVersions(), ", "))
}
