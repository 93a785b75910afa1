package terraform

import (
	"os"
	"os/exec"
	"path/filepath"
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

func TestStatesOfKilledRunsAreRescued(t *testing.T) {
	t.Parallel()
	scratch, dir := t.TempDir(), t.TempDir()
	leave := func(state, name string) {
		run, held, err := newRunDir(scratch)
		require.NoError(t, err)
		require.NoError(t, held.Close())
		if state != "" {
			require.NoError(t, os.WriteFile(run.errored(), []byte(state), 0o644))
		}
		require.NoError(t, os.WriteFile(run.stateName(), []byte(name), 0o600))
	}
	leave(`{"serial": 7}`, "a.tfstate")
	leave(`{"serial": 7, "res`, "truncated.tfstate")
	leave(`{"encrypted_data": "AAAA"}`, "encrypted.tfstate")
	leave("", "written.tfstate")
	leave(`{}`, "../outside.tfstate")
	require.NoError(t, RescueStates(scratch, dir))
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, found, 1)
	path := filepath.Join(dir, "a.tfstate")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, `{"serial": 7}`, string(content))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the state contains secrets")
}
