package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/capnt/capnt/internal/terraform"
)

const (
	// scratchPrefix is the prefix of the directories that managers create in the scratch directory.
	scratchPrefix = "capnt-"
	// lockName is the name of a file in a manager's directory. The file is locked while the manager runs.
	lockName = ".capnt-manager.lock"
	// maxScratchPath is the maximum length of the path of a manager's directory. A provider listens on a Unix socket in the directory of its
	// run, and some systems limit the path of a socket to 104 bytes.
	maxScratchPath = 64
)

// scratch is the private directory of this manager. It contains the kubeconfig and the run directories. Both contain secrets, so the
// manager removes the directory when it exits. If a manager was killed, the next manager removes its directory.
type scratch struct {
	path string
	lock *os.File
}

// newScratch creates the directory of this manager below root. It also removes the directories of managers that no longer run.
func newScratch(root string) (*scratch, error) {
	if root == "" {
		root = os.TempDir()
	}
	fail := func(err error) (*scratch, error) {
		return nil, fmt.Errorf("making a private directory in --scratch-dir=%s: name a directory that this user can write: %w", root, err)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fail(err)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return fail(err)
	}
	if err := sweep(root); err != nil {
		return fail(err)
	}
	path, err := os.MkdirTemp(root, scratchPrefix)
	if err != nil {
		return fail(err)
	}
	if len(path) > maxScratchPath {
		return fail(errors.Join(fmt.Errorf("%s is longer than %d bytes, too long for the sockets of providers", path, maxScratchPath), os.Remove(path)))
	}
	lock, err := lockFile(filepath.Join(path, lockName))
	if err != nil {
		return fail(errors.Join(err, os.RemoveAll(path)))
	}
	return &scratch{path: path, lock: lock}, nil
}

// remove removes the directory.
func (s *scratch) remove() error {
	if err := errors.Join(os.RemoveAll(s.path), s.lock.Close()); err != nil {
		return fmt.Errorf("removing the private directory %s: %w", s.path, err)
	}
	return nil
}

// sweep removes the directories of managers that no longer run, and kills the provider processes of those managers. It skips a directory
// without a lock file, because its manager may be starting.
func sweep(root string) error {
	locks, err := filepath.Glob(filepath.Join(root, scratchPrefix+"*", lockName))
	if err != nil {
		return err
	}
	for _, path := range locks {
		lock, err := lockFile(path)
		if err != nil {
			continue // the manager still runs, or another user owns the directory
		}
		terraform.KillLeftovers(filepath.Dir(path))
		if err := errors.Join(os.RemoveAll(filepath.Dir(path)), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// lockFile opens and locks a file. It returns an error if another process has locked the file.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
