package terraform

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// leftover starts a process in dir that runs until it is killed, like a provider whose Terraform was killed. The channel receives the
// result of the process.
func leftover(t *testing.T, dir string) (*exec.Cmd, <-chan error) {
	t.Helper()
	process := exec.CommandContext(t.Context(), "/bin/sh", "-c", "read -r forever")
	process.Dir = dir
	// The process reads from the pipe, to which nothing is ever written.
	_, err := process.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	return process, ended
}

// requireKilled waits until a process has ended, and requires that it was killed.
func requireKilled(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		status, ok := exit.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		assert.Equal(t, syscall.SIGKILL, status.Signal())
	case <-time.After(time.Minute):
		require.Fail(t, "the process goes on")
	}
}

func TestCloseKillsLeftovers(t *testing.T) {
	t.Parallel()
	dir, held, err := newRunDir(t.TempDir())
	require.NoError(t, err)
	_, ended := leftover(t, dir.workspace())
	_, endedInHome := leftover(t, dir.home())
	require.NoError(t, (&Run{dir: dir, held: held}).Close())
	requireKilled(t, ended)
	requireKilled(t, endedInHome)
	assert.NoDirExists(t, string(dir))
}

// TestSweepKillsLeftovers releases the lock of a run directory, so it must not run in parallel with other tests.
func TestSweepKillsLeftovers(t *testing.T) {
	scratch := t.TempDir()
	dead, abandoned, err := newRunDir(scratch)
	require.NoError(t, err)
	require.NoError(t, abandoned.Close())
	_, ended := leftover(t, dead.workspace())
	alive, held, err := newRunDir(scratch)
	require.NoError(t, err)
	process, endedAlive := leftover(t, alive.workspace())

	require.NoError(t, sweep(scratch, time.Now().Add(2*sweepAge)))
	requireKilled(t, ended)
	assert.NoDirExists(t, string(dead))
	require.NoError(t, process.Process.Signal(syscall.Signal(0)), "the run of a living process goes on")

	require.NoError(t, held.Close())
	require.NoError(t, process.Process.Kill())
	<-endedAlive
}
