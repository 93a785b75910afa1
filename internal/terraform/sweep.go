package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sweepAge protects a directory that another process has made and not locked yet.
const sweepAge = time.Minute

// claim locks a run's directory for the life of this process: a directory that nobody holds belongs to a dead one. flags
// say whether the file that is locked may be made.
func claim(dir runDir, flags int) (*os.File, error) {
	file, err := os.OpenFile(dir.claim(), flags|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// sweep removes the directories of runs whose process was killed, with what still runs in them. A plan file or a file of
// variables in there is a secret that nobody else removes.
func sweep(scratch string, now time.Time) error {
	dirs, err := filepath.Glob(filepath.Join(scratch, runDirPattern))
	if err != nil {
		return fmt.Errorf("looking for abandoned run directories in %s: %w", scratch, err)
	}
	var failures []error
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < sweepAge {
			continue
		}
		held, err := claim(runDir(dir), 0)
		if err != nil {
			// Held by a living process, or not the directory of a run.
			continue
		}
		killLeftovers(dir)
		failures = append(failures, os.RemoveAll(dir), held.Close())
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("removing abandoned run directories: %w", err)
	}
	return nil
}
