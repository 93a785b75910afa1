package terraform

import (
	"errors"
	"fmt"
	"time"
)

// LockInfo describes the holder of a state lock as reported by the backend.
type LockInfo struct {
	// ID identifies the lock, for Unlock.
	ID string
	// Who is user@host of the process that acquired the lock.
	Who string
	// Operation is Terraform's name of the operation, for example OperationTypeApply.
	Operation string
	// Created is when the lock was acquired. It is zero if the backend did not report it.
	Created time.Time
}

// Error is the failure of one command. Its text is for people, has a limited length and never contains a variable, a credential
// or a session token of the run.
type Error struct {
	// Verb is the command: init, plan, show, apply, output, state pull, state push, state rm, import, untaint,
	// force-unlock, validate, test.
	Verb string
	// Class is the kind of failure, Source the component that reported it.
	Class  Class
	Source Source
	// Message is the first error that the command reported, on one line.
	Message string
	// Lock is the holder of the lock if Class is LockHeld and the backend reported the holder.
	Lock *LockInfo
	// ErroredState is a state that a failed apply could neither write to the backend nor push afterwards, else nil. It contains
	// secrets: store it like a Secret and pass it to Run.Push later.
	ErroredState []byte

	cause error
}

// Error returns "running terraform <verb>: <message>".
func (e *Error) Error() string { return fmt.Sprintf("running terraform %s: %s", e.Verb, e.Message) }

// Unwrap returns context.Canceled or context.DeadlineExceeded if this process interrupted the run, else nil. It does not return the
// error of the process, because that quotes the output, which may contain secrets.
func (e *Error) Unwrap() error { return e.cause }

// LockHeldError returns the failure of a run that is not started because another process holds the lock of its state.
func LockHeldError(lock LockInfo) *Error {
	return &Error{Verb: "init", Class: LockHeld, Source: SourceBackend, Message: lock.message(), Lock: &lock}
}

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
