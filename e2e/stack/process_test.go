package stack

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run starts a process that runs until the end of the test. It returns the name under which processesIn lists the
// process.
func run(t *testing.T, dir string, environment ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "cat")
	command.Dir, command.Env = dir, environment
	_, err := command.StdinPipe() // cat runs until its standard input is closed
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return "process " + strconv.Itoa(command.Process.Pid) + " "
}

func TestRunProcessesAreFound(t *testing.T) {
	scratch, elsewhere := t.TempDir(), t.TempDir()
	found, err := processesIn(scratch)
	require.NoError(t, err)
	require.Empty(t, found)

	run(t, elsewhere, "HOME="+elsewhere)
	run(t, elsewhere, "HOME="+scratch+"-of-another")
	want := []string{run(t, scratch), run(t, elsewhere, "A=b", "HOME="+filepath.Join(scratch, "run-1"))}
	found, err = processesIn(scratch)
	require.NoError(t, err)
	require.Len(t, found, len(want), "%v", found)
	for i := range want {
		assert.Contains(t, found[0]+found[1], want[i])
	}
}
