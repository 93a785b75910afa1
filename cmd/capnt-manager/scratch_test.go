package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/lifecycle"
)

// shortDir returns a directory whose path is short enough for the sockets of providers. The path that t.TempDir returns may be too long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return paths
}

func TestScratchIsPrivateAndRemoved(t *testing.T) {
	root := filepath.Join(shortDir(t), "made")
	scratch, err := newScratch(root)
	require.NoError(t, err)
	info, err := os.Stat(scratch.path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	require.NoError(t, scratch.remove())
	assert.Empty(t, entries(t, root))
}

func TestScratchOfKilledManagerIsRemoved(t *testing.T) {
	root := shortDir(t)
	dead, err := newScratch(root)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dead.path, "kubeconfig"), []byte("secret"), 0o600))
	require.NoError(t, dead.lock.Close()) // the kernel also closes the file of a process that was killed
	living, err := newScratch(root)
	require.NoError(t, err)
	assert.Equal(t, []string{living.path}, entries(t, root))

	third, err := newScratch(root)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{living.path, third.path}, entries(t, root))
	require.NoError(t, third.remove())
	require.NoError(t, living.remove())
}

// startProvider starts a process in a run directory in the directory of a manager. The returned function requires that the process was
// killed.
func startProvider(t *testing.T, scratch *scratch) (requireKilled func()) {
	t.Helper()
	workspace := filepath.Join(scratch.path, "capnt-1", "workspace")
	require.NoError(t, os.MkdirAll(workspace, 0o700))
	provider := exec.Command("sleep", "600")
	provider.Dir = workspace
	require.NoError(t, provider.Start())
	t.Cleanup(func() { _ = provider.Process.Kill() })
	return func() {
		var killed *exec.ExitError
		require.ErrorAs(t, provider.Wait(), &killed)
		assert.Equal(t, "signal: killed", killed.Error())
	}
}

// TestScratchSweepKillsLeftProcesses proves that sweep kills the provider processes of a killed manager. Terraform ends together with its
// manager, but the provider keeps running.
func TestScratchSweepKillsLeftProcesses(t *testing.T) {
	root := shortDir(t)
	dead, err := newScratch(root)
	require.NoError(t, err)
	requireKilled := startProvider(t, dead)
	require.NoError(t, dead.lock.Close())
	next, err := newScratch(root)
	require.NoError(t, err)
	requireKilled()
	require.NoError(t, next.remove())
}

// TestScratchRemoveKillsLeftProcesses proves that a manager that does not wait for its runs leaves no provider processes.
func TestScratchRemoveKillsLeftProcesses(t *testing.T) {
	scratch, err := newScratch(shortDir(t))
	require.NoError(t, err)
	requireKilled := startProvider(t, scratch)
	require.NoError(t, scratch.remove())
	requireKilled()
}

// keep writes an unwritten state into the directory of a manager.
func keep(t *testing.T, scratch *scratch, id, content string) string {
	t.Helper()
	name := strings.ReplaceAll(lifecycle.UnwrittenPattern, "*", id)
	require.NoError(t, os.WriteFile(filepath.Join(scratch.path, name), []byte(content), 0o600))
	return name
}

func TestUnwrittenStatesOutliveTheirManager(t *testing.T) {
	root := shortDir(t)
	first, err := newScratch(root)
	require.NoError(t, err)
	name := keep(t, first, "1", "one")
	require.NoError(t, os.MkdirAll(filepath.Join(first.path, "capnt-1", "workspace"), 0o700))
	active := filepath.Join(first.path, "capnt-active") // the manager ends before this run
	require.NoError(t, os.MkdirAll(filepath.Join(active, "workspace"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(active, "state-name"), []byte("unwritten-active.tfstate"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(active, "workspace", "errored.tfstate"), []byte(`"active"`), 0o600))
	require.NoError(t, first.remove())
	kept := filepath.Join(first.path, "unwritten-active.tfstate")
	assert.ElementsMatch(t, []string{filepath.Join(first.path, name), kept, filepath.Join(first.path, lockName)}, entries(t, first.path))
	require.NoError(t, os.Remove(kept))

	second, err := newScratch(root)
	require.NoError(t, err)
	assert.Equal(t, []string{second.path}, entries(t, root))
	content, err := os.ReadFile(filepath.Join(second.path, name))
	require.NoError(t, err)
	assert.Equal(t, "one", string(content))

	// The second manager is killed. It was applying a plan for one object, and had an old state of another object.
	old := keep(t, second, "2", "old")
	yesterday := time.Now().Add(-maxUnwrittenAge - time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(second.path, old), yesterday, yesterday))
	run := filepath.Join(second.path, "capnt-2")
	require.NoError(t, os.MkdirAll(filepath.Join(run, "workspace"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(run, "state-name"), []byte(name), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(run, "workspace", "errored.tfstate"), []byte(`"newer"`), 0o600))
	require.NoError(t, second.lock.Close())

	third, err := newScratch(root)
	require.NoError(t, err)
	assert.Equal(t, []string{third.path}, entries(t, root))
	assert.Equal(t, []string{filepath.Join(third.path, name)}, unwritten(third.path))
	content, err = os.ReadFile(filepath.Join(third.path, name))
	require.NoError(t, err)
	assert.Equal(t, `"newer"`, string(content))
	require.NoError(t, os.Remove(filepath.Join(third.path, name))) // the state is written
	require.NoError(t, third.remove())
	assert.Empty(t, entries(t, root))
}

func TestScratchKeepsForeignDirectories(t *testing.T) {
	root := shortDir(t)
	other := filepath.Join(root, "capnt-of-somebody-else")
	require.NoError(t, os.Mkdir(other, 0o700))
	scratch, err := newScratch(root)
	require.NoError(t, err)
	require.NoError(t, scratch.remove())
	assert.Equal(t, []string{other}, entries(t, root))
}

func TestScratchReportsUnusableDirectory(t *testing.T) {
	file := filepath.Join(shortDir(t), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, root := range map[string]string{
		"a file":   file,
		"too long": filepath.Join(shortDir(t), strings.Repeat("x", maxScratchPath)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newScratch(root)
			require.ErrorContains(t, err, "--scratch-dir="+root)
			if name == "too long" {
				assert.Empty(t, entries(t, root))
			}
		})
	}
}
