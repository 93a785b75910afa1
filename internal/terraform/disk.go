package terraform

import (
	"errors"
	"syscall"
)

// minFree is the free space in bytes that a run needs in the scratch directory. The plan for one object has a few thousand bytes.
const minFree = 64 << 10

// diskFull reports whether err means that the disk or the user's disk quota is full.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// diskFull reports whether the file system of the directory dir has not enough free space for a run.
func (t *Terraform) diskFull(dir string) bool {
	free, err := t.free(dir)
	return err == nil && free < minFree
}

// freeBytes returns how many bytes unprivileged users can still write to the file system of the directory dir.
func freeBytes(dir string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil //nolint:gosec // a block size is positive
}
