package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is a running process of Terraform or of a provider.
type process struct {
	kind victim
	pid  int
	// parent is the executable of the parent process.
	parent string
	// run is the directory of the run.
	run string
}

// processes returns the running processes of Terraform and its providers whose run directory is below the scratch
// directory, sorted by PID. The method supports Linux only.
func (h *harness) processes() []process {
	executable, err := filepath.EvalSymlinks(h.Tool("bin/terraform"))
	if err != nil {
		return nil
	}
	paths, _ := filepath.Glob("/proc/[0-9]*")
	var found []process
	for _, path := range paths {
		// Readlink fails if the process has exited or is owned by another user.
		program, _ := os.Readlink(filepath.Join(path, "exe"))
		p := process{run: runDir(h.Env.ScratchDir(), path), parent: parent(path)}
		switch {
		case program == executable:
			p.kind = terraform
		case strings.HasPrefix(filepath.Base(program), "terraform-provider-nutanix"):
			p.kind = provider
		}
		if p.pid, err = strconv.Atoi(filepath.Base(path)); err != nil || p.kind == "" || p.run == "" {
			continue
		}
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b process) int { return a.pid - b.pid })
	return found
}

// runDir returns the run directory of the process with the directory path in /proc, or an empty string if the process does
// not run below scratch. The manager creates a private directory in the scratch directory, with one subdirectory for each
// run. Terraform runs in the run directory. The environment of a provider contains the run directory, too.
func runDir(scratch, path string) string {
	cwd, _ := os.Readlink(filepath.Join(path, "cwd"))
	values := []string{cwd}
	for variable := range strings.SplitSeq(read(filepath.Join(path, "environ")), "\x00") {
		if _, value, ok := strings.Cut(variable, "="); ok {
			values = append(values, value)
		}
	}
	for _, value := range values {
		below, ok := strings.CutPrefix(value, scratch+string(filepath.Separator))
		if parts := strings.Split(below, string(filepath.Separator)); ok && len(parts) > 1 {
			return filepath.Join(scratch, parts[0], parts[1])
		}
	}
	return ""
}

// parent returns the executable of the parent of the process with the directory path in /proc.
func parent(path string) string {
	_, rest, _ := strings.Cut(read(filepath.Join(path, "stat")), ") ")
	fields := strings.Fields(rest) // the state and the PID of the parent
	if len(fields) < 2 {
		return ""
	}
	program, _ := os.Readlink(filepath.Join("/proc", fields[1], "exe"))
	return program
}

func read(path string) string {
	content, _ := os.ReadFile(path)
	return string(content)
}

// of reports whether the run is for the VM with the name vm.
func (p process) of(vm string) bool {
	return strings.Contains(read(filepath.Join(p.run, "workspace", "main.tf")), strconv.Quote(vm))
}

// stale reports whether the process was left behind: the parent that started it has been killed, or its run has ended.
func (p process) stale() bool {
	parent := filepath.Base(p.parent)
	startedByManager := strings.HasPrefix(parent, "capnt-manager")
	startedByTerraform := p.kind == provider && (strings.HasPrefix(parent, "terraform") || strings.HasPrefix(parent, "tofu"))
	_, err := os.Stat(p.run)
	return !startedByManager && !startedByTerraform || err != nil
}

func (p process) String() string {
	return fmt.Sprintf("%s (pid %d, parent %q, in %s)", p.kind, p.pid, p.parent, p.run)
}

// alive reports whether the process exists and is not a zombie.
func alive(pid int) bool {
	stat := read(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, ok := strings.Cut(stat, ") ")
	return ok && !strings.HasPrefix(rest, "Z")
}
