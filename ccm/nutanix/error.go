package nutanix

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is what an error of Prism Central means for whoever asked.
type Kind string

// Kinds of errors. Only NotFound says that something does not exist.
const (
	NotFound     Kind = "NotFound"     // Prism Central itself says that there is none
	Unauthorized Kind = "Unauthorized" // the credentials are wrong
	Forbidden    Kind = "Forbidden"    // the credentials lack a role
	Invalid      Kind = "Invalid"      // the request can never succeed as it is
	Conflict     Kind = "Conflict"     // something else is in the way, for example an address that is taken
	Stale        Kind = "Stale"        // the object was changed since it was read: read it again
	Exhausted    Kind = "Exhausted"    // a quota, a limit or an address pool has nothing left
	Unavailable  Kind = "Unavailable"  // a passing fault: timeout, 429, 5xx, a proxy's answer, a half answer
	Throttled    Kind = "Throttled"    // a passing fault of our own: Limits left no room for it, and Prism Central was not asked
)

// Error is a failed operation of Prism Central.
type Error struct {
	// Operation is the interface method, for example "CreateLoadBalancerSession".
	Operation string
	Kind      Kind
	// Status is the HTTP status, 0 when there was no answer or when the task of an accepted request failed.
	Status int
	// Code, Group and Message are Prism Central's own, for example "VMM-30100", "VM_NOT_FOUND".
	Code, Group, Message string
	// RetryAfter is how long Prism Central asks to wait; 0: it did not say.
	RetryAfter time.Duration
	// Cause is an error below, if any: of the network, or the end of the context.
	Cause error
}

func (e *Error) Error() string {
	var text strings.Builder
	if e.Kind == Throttled {
		fmt.Fprintf(&text, "%s: %s", e.Operation, e.Kind)
	} else {
		fmt.Fprintf(&text, "%s: Prism Central: %s", e.Operation, e.Kind)
	}
	if e.Status != 0 {
		fmt.Fprintf(&text, " (HTTP %d)", e.Status)
	}
	if e.Message != "" {
		fmt.Fprintf(&text, ": %s", e.Message)
	}
	if e.Code != "" {
		fmt.Fprintf(&text, " [%s]", e.Code)
	}
	if e.Cause != nil {
		fmt.Fprintf(&text, ": %v", e.Cause)
	}
	return text.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf gives the kind of an error of this package; "" for nil and Unavailable for everything unknown, so that nothing is
// ever taken for more than it says.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Kind
	default:
		return Unavailable
	}
}

// Is reports whether err is of that kind.
func Is(err error, kind Kind) bool { return KindOf(err) == kind }
