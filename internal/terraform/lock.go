package terraform

import (
	"os"
	"regexp"
	"strings"
	"time"
)

// lockField matches one line of the "Lock Info:" block, which Terraform and OpenTofu print if the state is locked.
var lockField = regexp.MustCompile(`(?m)^\s*(ID|Operation|Who|Created):[ \t]*(\S.*?)\s*$`)

// lockCreatedLayout is the time format in the "Lock Info:" block: the format of time.Time.String in UTC.
const lockCreatedLayout = "2006-01-02 15:04:05.999999999 -0700 MST"

// heldID matches the ID of the lock in an error of the http backend that says that the state is already locked.
var heldID = regexp.MustCompile(`already locked:\s+ID=(\S+)`)

// parseLock returns the lock that an error output describes, or nil if the output does not describe the lock that prevents the command.
// Some backends (pg, and http in Terraform) describe the lock that the command itself requested. parseLock recognizes and ignores such a
// description, because the lock in it was created on this host after begin.
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
			// If the time is invalid, Created stays zero. The other fields are more important than the time.
			lock.Created, _ = time.Parse(lockCreatedLayout, value)
		}
	}
	return lock
}

// madeHere reports whether the lock was created on this host at or after begin. Terraform writes user@host into a lock.
func (l *LockInfo) madeHere(begin time.Time) bool {
	host, err := os.Hostname()
	return err == nil && strings.HasSuffix(l.Who, "@"+host) && !l.Created.Before(begin)
}

// message returns a message that describes the lock and its holder.
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

// ownApply reports whether an apply that began on this host at begin has acquired the lock.
func (l *LockInfo) ownApply(begin time.Time) bool {
	return l.Operation == "OperationTypeApply" && l.madeHere(begin)
}
