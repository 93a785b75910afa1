package soak

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// run is a running Terraform process.
type run struct {
	pid int
	// workspace is the content of main.tf in the workspace of the run.
	workspace string
}

// runs returns the running processes of the Terraform executable whose working directory is below scratch, sorted by
// PID. Provider processes are not included. The function supports Linux only.
func runs(scratch, executable string) []run {
	executable, err := filepath.EvalSymlinks(executable)
	if err != nil {
		return nil
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	var found []run
	for _, process := range processes {
		// Readlink fails if the process has exited or is owned by another user.
		program, _ := os.Readlink(filepath.Join(process, "exe"))
		dir, _ := os.Readlink(filepath.Join(process, "cwd"))
		if program != executable || !strings.HasPrefix(dir, scratch+string(filepath.Separator)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			continue
		}
		found = append(found, run{pid: pid, workspace: read(filepath.Join(dir, "main.tf"))})
	}
	slices.SortFunc(found, func(a, b run) int { return a.pid - b.pid })
	return found
}

func read(path string) string {
	content, _ := os.ReadFile(path)
	return string(content)
}

// of reports whether the run is for the VM with the name vm.
func (r run) of(vm string) bool { return strings.Contains(r.workspace, strconv.Quote(vm)) }

// alive reports whether the process exists and is not a zombie.
func alive(pid int) bool {
	stat := read(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, ok := strings.Cut(stat, ") ")
	return ok && !strings.HasPrefix(rest, "Z")
}
