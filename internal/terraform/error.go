package terraform

import (
	"errors"
	"fmt"
	"time"
)

// LockInfo describes the holder of a state lock, as the backend tells it.
type LockInfo struct {
	// ID is what Unlock takes.
	ID string
	// Who is user@host of the process that locked.
	Who string
	// Operation is Terraform's word for the work in progress, for example OperationTypeApply.
	Operation string
	// Created is when the lock was taken; zero when the backend did not tell.
	Created time.Time
}

// Error is the failure of one command. Its text is made for people, is bounded in length and never contains a
// variable, a credential or a session token of the run.
type Error struct {
	// Verb is the command: init, plan, show, apply, output, state pull, state push, state rm, import, untaint,
	// force-unlock, validate, test.
	Verb string
	// Class is the kind of failure, Source the component that reported it.
	Class  Class
	Source Source
	// Message is the first error that the command reported, on one line.
	Message string
	// Lock is the holder of the lock when Class is LockHeld and the backend told.
	Lock *LockInfo
	// ErroredState is the state that a failed apply could not write to its backend and that could not be pushed back
	// either. It holds secrets: store it like a Secret and give it to Run.Push later. Otherwise nil.
	ErroredState []byte

	cause error
}

// Error returns "running terraform <verb>: <message>".
func (e *Error) Error() string { return fmt.Sprintf("running terraform %s: %s", e.Verb, e.Message) }

// Unwrap returns context.Canceled or context.DeadlineExceeded when the run was ended from our side, else nil: the error
// of the process quotes its output, which must not spread.
func (e *Error) Unwrap() error { return e.cause }

// ClassOf returns the class of err: the empty class for nil, LocalDisk for a file that did not fit on the disk, and Unknown
// for other errors that are no *Error.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	var failure *Error
	switch {
	case errors.As(err, &failure):
		return failure.Class
	case diskFull(err):
		return LocalDisk
	}
	return Unknown
}

// SourceOf returns the component that reported err, or an empty string if err is no *Error.
func SourceOf(err error) Source {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Source
	}
	return ""
}
