package stack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// processesIn lists the processes that work in a directory, were started from a file in it, or have it in their environment, as
// each run of Terraform has, whose providers are started from the mirror that all runs share. Only Linux can tell.
func processesIn(dir string) ([]string, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("looking for processes: %w", err)
	}
	var found []string
	for _, process := range processes {
		// One that has ended in between, or is somebody else's, cannot be read and is none of ours.
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
