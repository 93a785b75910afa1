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
