package terraform

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// killLeftovers kills the processes whose working directory is inside dir. If Terraform is killed, its provider processes
// continue and keep files and connections open. On systems other than Linux killLeftovers does nothing.
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
		// The error is ignored, because the process may have ended by itself.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
