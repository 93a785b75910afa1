package terraform

import (
	"os"
	"regexp"
	"strings"
	"time"
)

// lockField matches one line of the "Lock Info:" block that Terraform and OpenTofu print when a lock is held.
var lockField = regexp.MustCompile(`(?m)^\s*(ID|Operation|Who|Created):[ \t]*(\S.*?)\s*$`)

// lockCreatedLayout is time.Time's String form, in UTC.
const lockCreatedLayout = "2006-01-02 15:04:05.999999999 -0700 MST"

// parseLock reads the holder of a lock from a plain error output; nil when it does not tell.
func parseLock(plain string) *LockInfo {
	_, block, found := strings.Cut(plain, "Lock Info:")
	if !found {
		return nil
	}
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
			// A time that cannot be read stays zero: the holder is what matters.
			lock.Created, _ = time.Parse(lockCreatedLayout, value)
		}
	}
	if lock.ID == "" {
		return nil
	}
	return lock
}

// message tells people who holds the lock.
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

// ownLock says whether a lock was taken on this host, for an apply, since begin. Terraform writes user@host.
func ownLock(lock *LockInfo, begin time.Time) bool {
	host, err := os.Hostname()
	return err == nil && strings.HasSuffix(lock.Who, "@"+host) &&
		lock.Operation == "OperationTypeApply" && !lock.Created.Before(begin.Add(-time.Second))
}
