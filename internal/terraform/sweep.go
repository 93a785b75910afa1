package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sweepAge is the minimum age of directories that sweep removes. A younger directory may be one that another process has created but not
// locked yet.
const sweepAge = time.Minute

// claim locks the directory of a run. The lock is held until the returned file is closed or the process ends. So if a directory is not
// locked, the process that created it was killed. With os.O_CREATE in flags, claim creates the lock file if it does not exist.
func claim(dir runDir, flags int) (*os.File, error) {
	file, err := os.OpenFile(dir.claim(), flags|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// lock locks an open lock file. It returns an error if the file is not in its directory any more. Then its run has ended, and another run
// may have created the directory again.
func lock(file *os.File) error {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	own, err := file.Stat()
	if err != nil {
		return err
	}
	if present, err := os.Stat(file.Name()); err != nil || !os.SameFile(own, present) {
		return fmt.Errorf("locking %s: the file was replaced", file.Name())
	}
	return nil
}

// sweep removes the run directories of killed processes, and kills the processes that still run in these directories. It is necessary
// because such a directory contains plan files and variable files with secrets, and nothing else removes them.
func sweep(scratch string, now time.Time) error {
	dirs, err := filepath.Glob(filepath.Join(scratch, runDirPattern))
	if err != nil {
		return fmt.Errorf("looking for stale run directories in %s: %w", scratch, err)
	}
	var failures []error
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < sweepAge {
			continue
		}
		held, err := claim(runDir(dir), 0)
		if err != nil {
			// Either a running process holds the lock, or the directory is not a run directory.
			continue
		}
		KillLeftovers(dir)
		failures = append(failures, os.RemoveAll(dir), held.Close())
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("removing stale run directories: %w", err)
	}
	return nil
}
