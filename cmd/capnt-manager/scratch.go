package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"github.com/capnt/capnt/internal/lifecycle"
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
	// maxUnwrittenAge is the maximum age of unwritten states that a manager takes over. It prevents that states of objects that no longer
	// exist are kept.
	maxUnwrittenAge = 24 * time.Hour
)

// scratch is the private directory of this manager. It contains the run directories and the states that could not be written. Both contain
// secrets, so the manager removes the directory when it exits, unless it contains an unwritten state. The next manager takes unwritten
// states over and removes the directory.
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
	made := &scratch{path: path, lock: lock}
	if err := made.sweep(root); err != nil {
		return fail(errors.Join(err, made.remove()))
	}
	return made, nil
}

// unwritten returns the paths of the unwritten states in a directory of a manager.
func unwritten(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, lifecycle.UnwrittenPattern)) // the pattern is valid
	return paths
}

// remove removes the directory, and kills the processes that still run in it: a manager that loses its leadership does not wait for its
// runs. If the directory contains unwritten states, remove keeps them and the lock file, so that the next manager finds them.
func (s *scratch) remove() error {
	terraform.KillLeftovers(s.path)
	failures := []error{terraform.RescueStates(s.path, s.path)} // a run may not have ended
	if kept := unwritten(s.path); len(kept) > 0 {
		entries, err := os.ReadDir(s.path)
		failures = append(failures, err)
		for _, entry := range entries {
			path := filepath.Join(s.path, entry.Name())
			if entry.Name() != lockName && !slices.Contains(kept, path) {
				failures = append(failures, os.RemoveAll(path))
			}
		}
	} else {
		failures = append(failures, os.RemoveAll(s.path))
	}
	if err := errors.Join(append(failures, s.lock.Close())...); err != nil {
		return fmt.Errorf("removing the private directory %s: %w", s.path, err)
	}
	return nil
}

// sweep removes the directories of managers that no longer run, and kills the provider processes of those managers. Before that, it takes
// over their unwritten states. It skips a directory without a lock file, because its manager may be starting.
func (s *scratch) sweep(root string) error {
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
		if err := s.takeOver(filepath.Dir(path)); err != nil {
			klog.Background().Error(err, "Failed to take over the unwritten states of an earlier manager")
		}
		if err := errors.Join(os.RemoveAll(filepath.Dir(path)), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// takeOver moves the unwritten states of a manager that has ended to this directory. It ignores a directory of another user, because the
// scratch directory may be a shared one and that user could have written any state.
func (s *scratch) takeOver(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return nil
	}
	var failures []error
	for _, path := range unwritten(dir) {
		if info, err := os.Lstat(path); err != nil || time.Since(info.ModTime()) > maxUnwrittenAge {
			continue
		}
		failures = append(failures, os.Rename(path, filepath.Join(s.path, filepath.Base(path))))
	}
	// A run writes the unwritten state of its object before it starts an apply, so the state of a killed run is newer.
	return errors.Join(append(failures, terraform.RescueStates(dir, s.path))...)
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
