package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
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

// RescueStates moves the states that Terraform could not write from the run directories in scratch to dir. The manager whose runs created
// these directories must have ended. The name of a moved file is the RunOptions.StateName of its run. RescueStates ignores a state that is
// not JSON, because Terraform was killed while it wrote the state, and an encrypted state, which cannot be pushed.
func RescueStates(scratch, dir string) error {
	runs, err := filepath.Glob(filepath.Join(scratch, runDirPattern))
	if err != nil {
		return err
	}
	var failures []error
	for _, run := range runs {
		errored := runDir(run).errored()
		state, err := os.ReadFile(errored)
		if err != nil || !json.Valid(state) || encrypted(state) {
			continue
		}
		name, err := os.ReadFile(runDir(run).stateName())
		if err != nil || !filepath.IsLocal(string(name)) {
			continue
		}
		failures = append(failures, os.Chmod(errored, 0o600), os.Rename(errored, filepath.Join(dir, string(name))))
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("rescuing states of killed runs: %w", err)
	}
	return nil
}
