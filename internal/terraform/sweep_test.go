package terraform

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Tests that let a claim go cannot run in parallel with those that start processes: until a new process runs its program, it
// holds what its parent has open, claims too.
func TestSweepRemovesWhatDeadProcessesLeft(t *testing.T) {
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
