package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// TestScratchSweepKillsLeftProcesses proves that sweep kills the provider processes of a killed manager. Terraform ends together with its
// manager, but the provider keeps running.
func TestScratchSweepKillsLeftProcesses(t *testing.T) {
	root := shortDir(t)
	dead, err := newScratch(root)
	require.NoError(t, err)
	workspace := filepath.Join(dead.path, "capnt-1", "workspace")
	require.NoError(t, os.MkdirAll(workspace, 0o700))
	provider := exec.Command("sleep", "600")
	provider.Dir = workspace
	require.NoError(t, provider.Start())
	t.Cleanup(func() { _ = provider.Process.Kill() })
	require.NoError(t, dead.lock.Close())
	next, err := newScratch(root)
	require.NoError(t, err)
	var killed *exec.ExitError
	require.ErrorAs(t, provider.Wait(), &killed)
	assert.Equal(t, "signal: killed", killed.Error())
	require.NoError(t, next.remove())
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
