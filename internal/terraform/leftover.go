package terraform

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// KillLeftovers kills all processes whose working directory is dir or below dir. The process of a provider keeps running after Terraform
// was killed, and keeps files and connections open. On systems other than Linux, KillLeftovers does nothing.
func KillLeftovers(dir string) {
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
		// The error is ignored, because the process may already have ended.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
