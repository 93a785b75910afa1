package terraform

import (
	"errors"
	"fmt"
	"time"
)

// LockInfo describes the lock of a state and its holder, as reported by the backend.
type LockInfo struct {
	// ID identifies the lock. It is the argument of Unlock.
	ID string
	// Who is user@host of the process that acquired the lock.
	Who string
	// Operation is Terraform's name for the operation, for example OperationTypeApply.
	Operation string
	// Created is the time at which the lock was acquired. It is zero if the backend did not report the time.
	Created time.Time
}

// Error is the failure of one command. Its message is intended for users and has a limited length. It never contains a variable, a
// credential or a session token of the run.
type Error struct {
	// Verb is the Terraform command: init, plan, show, apply, output, state pull, state push, state rm, import, untaint, force-unlock,
	// validate or test.
	Verb string
	// Class is the class of the failure. Source is the component that reported the failure.
	Class  Class
	Source Source
	// Message is the first error that the command reported, joined to one line.
	Message string
	// Lock describes the lock and its holder if Class is LockHeld and the backend reported them. Otherwise it is nil.
	Lock *LockInfo
	// ErroredState is the state after a failed apply if Apply could not write the state to the backend. Otherwise it is nil. A later run can
	// write the state with Run.Push. ErroredState contains secrets, so it must be stored only where secrets may be stored.
	ErroredState []byte

	cause error
}

// Error returns "running terraform <verb>: <message>".
func (e *Error) Error() string { return fmt.Sprintf("running terraform %s: %s", e.Verb, e.Message) }

// Unwrap returns context.Canceled or context.DeadlineExceeded if this process interrupted the run. Otherwise it returns nil. It never
// returns the error of the process, because that error quotes the output, which may contain secrets.
func (e *Error) Unwrap() error { return e.cause }

// LockHeldError returns the failure for a run that was not started because another process holds the lock of the state.
func LockHeldError(lock LockInfo) *Error {
	return &Error{Verb: "init", Class: LockHeld, Source: SourceBackend, Message: lock.message(), Lock: &lock}
}

// RefusedCredentialsError returns the failure for a run that was not started because Prism Central refuses the credentials.
func RefusedCredentialsError(err error) *Error {
	return &Error{Verb: "init", Class: Authentication, Source: SourceProvider, Message: err.Error()}
}

// ClassOf returns the class of err. If err is nil, the class is empty. If err is not an *Error, the class is LocalDisk for a write that
// failed because the disk is full, and otherwise Unknown.
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

// SourceOf returns the component that reported err. If err is not an *Error, the result is an empty string.
func SourceOf(err error) Source {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Source
	}
	return ""
}
