package stack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// processesIn lists the processes whose working directory or executable is in the directory dir, or whose environment
// contains dir. Provider processes are found by their environment, because their executable is in a shared mirror. The
// function supports Linux only.
func processesIn(dir string) ([]string, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("looking for processes: %w", err)
	}
	var found []string
	for _, process := range processes {
		// Readlink fails if the process has exited or is owned by another user.
		cwd, _ := os.Readlink(filepath.Join(process, "cwd"))
		program, _ := os.Readlink(filepath.Join(process, "exe"))
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		inside := dir + string(filepath.Separator)
		if cwd == dir || strings.HasPrefix(cwd, inside) || strings.HasPrefix(program, inside) || bytes.Contains(environment, []byte("="+inside)) {
			found = append(found, fmt.Sprintf("process %s (%s in %s)", filepath.Base(process), program, cwd))
		}
	}
	return found, nil
}
