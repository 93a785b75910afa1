package terraform

import (
	"errors"
	"syscall"
)

// minFree is how much space a run needs at least in the scratch directory, in bytes. A plan of one object has a few
// thousand.
const minFree = 64 << 10

// diskFull reports whether an error is that of a file for which the disk or the quota of its user has no space.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// diskFull reports whether the file system of a directory has no space left for a run.
func (t *Terraform) diskFull(dir string) bool {
	free, err := t.free(dir)
	return err == nil && free < minFree
}

// freeBytes returns the space that is left for unprivileged users in the file system of a directory.
func freeBytes(dir string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil //nolint:gosec // a block size is positive
}
