package terraform

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// killLeftovers kills the processes that work inside dir: when Terraform itself had to be killed, its provider processes
// go on and would keep files and connections. Only Linux can tell; elsewhere nothing happens.
func killLeftovers(dir string) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return
	}
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			continue
		}
		// A process that ended by itself in between is what is wanted.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
