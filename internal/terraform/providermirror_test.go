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
	"golang.org/x/mod/sumdb/dirhash"

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

// lock writes a lock file to path. The lock file locks version with the hashes.
func (m testMirror) lock(path, version string, hashes ...string) {
	m.t.Helper()
	content := fmt.Appendf(nil, "# made by a test\n\nprovider %q {\n  version     = %q\n  constraints = %q\n  hashes = [\n", ProviderSource, version, version)
	for _, hash := range hashes {
		content = fmt.Appendf(content, "    %q,\n", hash)
	}
	require.NoError(m.t, os.WriteFile(path, append(content, "  ]\n}\n"...), 0o600))
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

// TestRunUsesItsProviderVersion proves that each run starts the provider of its version, if the package matches the lock file.
func TestRunUsesItsProviderVersion(t *testing.T) {
	t.Parallel()
	// The mirror contains the same binary for both versions. Versions are distinguished only by their directories.
	m := newTestMirror(t)
	for _, version := range []string{"1.9.5", "1.9.6"} {
		m.add(version)
		m.link(version)
	}
	scratch, err := os.MkdirTemp("", "scratch-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(scratch)) })
	terraform, err := New(Config{Binary: binaries(t)[0], MirrorDir: m.dir, ScratchDir: scratch})
	require.NoError(t, err)

	for _, version := range terraform.ProviderVersions() {
		run := open(t, terraform, RunOptions{Files: workspace("", ""), ProviderVersion: version})
		assert.Contains(t, run.provider.path, filepath.Join(version, runtime.GOOS+"_"+runtime.GOARCH), "the executable of the provider")
	}
	_, err = terraform.Open(t.Context(), RunOptions{Files: workspace("", ""), ProviderVersion: "2.4.2"})
	require.ErrorContains(t, err, strings.Join(terraform.ProviderVersions(), ", "))

	other := m.path("1.9.5", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-nutanix_v1.9.5")
	require.NoError(t, os.Remove(other))
	require.NoError(t, os.WriteFile(other, []byte("another program"), 0o700))
	_, err = terraform.Open(t.Context(), RunOptions{Files: workspace("", ""), ProviderVersion: "1.9.5"})
	require.ErrorContains(t, err, "does not match the package")
	assert.Equal(t, Invalid, ClassOf(err), "%v", err)
}

// link adds the executable of the provider to a version, and locks the version.
func (m testMirror) link(version string) {
	m.t.Helper()
	dir := m.path(version, runtime.GOOS+"_"+runtime.GOARCH)
	require.NoError(m.t, os.Symlink(toolbox.Path(m.t, "bin/terraform-provider-nutanix"), filepath.Join(dir, "terraform-provider-nutanix_v"+version)))
	hash, err := dirhash.HashDir(dir, "", dirhash.Hash1)
	require.NoError(m.t, err)
	m.lock(m.path(version, lockFileName), version, hash)
}
