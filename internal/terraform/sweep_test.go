package terraform

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSweepRemovesStaleDirectories releases the locks of run directories, so it must not run in parallel with tests that start processes.
// A new process inherits all open files of its parent, including the locks, and keeps them until it executes its program.
func TestSweepRemovesStaleDirectories(t *testing.T) {
	scratch := t.TempDir()
	alive, held, err := newRunDir(scratch)
	require.NoError(t, err)
	dead, abandoned, err := newRunDir(scratch)
	require.NoError(t, err)
	require.NoError(t, abandoned.Close())
	foreign := filepath.Join(scratch, "capnt-of-another-program")
	require.NoError(t, os.Mkdir(foreign, 0o700))

	require.NoError(t, sweep(scratch, time.Now()))
	assert.DirExists(t, string(dead), "it may be about to be claimed")

	require.NoError(t, sweep(scratch, time.Now().Add(2*sweepAge)))
	assert.DirExists(t, string(alive))
	assert.DirExists(t, foreign)
	assert.NoDirExists(t, string(dead))

	require.NoError(t, held.Close())
	require.NoError(t, sweep(filepath.Join(scratch, "not-there"), time.Now()))
}

// A sweep that has opened the lock file of a run must not remove the directory of a later run with the same name.
func TestLockOfReplacedDirectoryFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "claim")
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	ended := open()
	require.NoError(t, os.Remove(path))
	require.ErrorContains(t, lock(ended), "replaced")
	require.NoError(t, lock(open()))
	require.ErrorContains(t, lock(ended), "replaced")
}
