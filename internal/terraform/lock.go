package terraform

import (
	"os"
	"regexp"
	"strings"
	"time"
)

// lockField matches one line of the "Lock Info:" block that Terraform and OpenTofu print when a lock is held.
var lockField = regexp.MustCompile(`(?m)^\s*(ID|Operation|Who|Created):[ \t]*(\S.*?)\s*$`)

// lockCreatedLayout is the layout of time.Time.String in UTC.
const lockCreatedLayout = "2006-01-02 15:04:05.999999999 -0700 MST"

// heldID matches the ID of the held lock in the errors of the http backend.
var heldID = regexp.MustCompile(`already locked:\s+ID=(\S+)`)

// parseLock returns the holder of a lock from an error output, or nil if the output does not contain it. Some backends (pg, and
// http in Terraform) print the lock that this command requested instead of the held one. parseLock ignores such a lock: it was
// created on this host after begin.
func parseLock(plain string, begin time.Time) *LockInfo {
	lock := &LockInfo{}
	if _, block, found := strings.Cut(plain, "Lock Info:"); found {
		lock = parseLockBlock(block)
	}
	if held := heldID.FindStringSubmatch(plain); held != nil && held[1] != lock.ID {
		return &LockInfo{ID: held[1]}
	}
	if lock.ID == "" || lock.madeHere(begin) {
		return nil
	}
	return lock
}

func parseLockBlock(block string) *LockInfo {
	lock := &LockInfo{}
	for _, match := range lockField.FindAllStringSubmatch(block, -1) {
		switch value := match[2]; match[1] {
		case "ID":
			lock.ID = value
		case "Operation":
			lock.Operation = value
		case "Who":
			lock.Who = value
		case "Created":
			// Without a valid time Created stays zero, because the holder is more important.
			lock.Created, _ = time.Parse(lockCreatedLayout, value)
		}
	}
	return lock
}

// madeHere reports whether a lock was created on this host since begin. Terraform writes user@host.
func (l *LockInfo) madeHere(begin time.Time) bool {
	host, err := os.Hostname()
	return err == nil && strings.HasSuffix(l.Who, "@"+host) && !l.Created.Before(begin)
}

// message describes the holder of the lock.
func (l *LockInfo) message() string {
	text := "the state is locked"
	if l.Who != "" {
		text += " by " + l.Who
	}
	if !l.Created.IsZero() {
		text += " since " + l.Created.UTC().Format(time.RFC3339)
	}
	if l.Operation != "" {
		text += " for " + l.Operation
	}
	return text + " (lock id " + l.ID + ")"
}

// ownApply reports whether a lock belongs to an apply that began on this host at begin.
func (l *LockInfo) ownApply(begin time.Time) bool {
	return l.Operation == "OperationTypeApply" && l.madeHere(begin)
}
