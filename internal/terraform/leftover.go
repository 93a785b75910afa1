package terraform

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// KillLeftovers kills the processes whose working directory is below dir. A provider process outlives a Terraform that was killed,
// and keeps files and connections open. It does nothing on systems other than Linux.
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
		// The error is ignored, because the process may have ended by itself.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
