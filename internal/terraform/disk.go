package terraform

import (
	"errors"
	"syscall"
)

// minFree is the minimum free space in the scratch directory for a run, in bytes. The plan of one object has a few thousand bytes.
const minFree = 64 << 10

// diskFull reports whether a file could not be written because the disk or the user's quota is full.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// diskFull reports whether the file system of a directory has no space left for a run.
func (t *Terraform) diskFull(dir string) bool {
	free, err := t.free(dir)
	return err == nil && free < minFree
}

// freeBytes returns the free space for unprivileged users in the file system of a directory.
func freeBytes(dir string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil //nolint:gosec // a block size is positive
}
