package prismv4

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is the meaning of an error for the caller.
type Kind string

// Kinds of errors. Only NotFound shows that an object does not exist.
const (
	NotFound     Kind = "NotFound"     // Prism Central itself responded that the object does not exist
	Unauthorized Kind = "Unauthorized" // the credentials are wrong
	Forbidden    Kind = "Forbidden"    // the credentials lack a role
	Invalid      Kind = "Invalid"      // the request cannot succeed without a change
	Conflict     Kind = "Conflict"     // another object prevents the change, for example because it uses the address
	Stale        Kind = "Stale"        // the object has changed since it was read
	Exhausted    Kind = "Exhausted"    // a quota, a limit or an address pool is used up
	Unavailable  Kind = "Unavailable"  // a transient failure: timeout, 429, 5xx, a response of a proxy, an incomplete response
	Throttled    Kind = "Throttled"    // the rate limit of this process did not allow the request, and it was not sent
)

// Error is a failed operation of Prism Central.
type Error struct {
	// Operation is the method that the caller called, for example "CreateLoadBalancerSession".
	Operation string
	Kind      Kind
	// Status is the HTTP status, or 0 if there was no response or if the task of an accepted request failed.
	Status int
	// Code, Group and Message come from Prism Central, for example "VMM-30100" and "VM_NOT_FOUND".
	Code, Group, Message string
	// RetryAfter is the pause that Prism Central requested, or 0.
	RetryAfter time.Duration
	// Cause is the error of the network or of the context, or nil.
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

// KindOf returns the kind of an error of this package, "" for nil, and Unavailable for all other errors.
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

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return KindOf(err) == kind }
