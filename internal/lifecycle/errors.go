package lifecycle

import (
	"cmp"
	"fmt"
)

// AbsentError means that the infrastructure is confirmed not to exist.
type AbsentError struct {
	// Kind is the kind of the infrastructure. If it is empty, the infrastructure is a virtual machine.
	Kind string
	// ID is the last known ID of the infrastructure, or empty. The ID of a virtual machine is its UUID.
	ID string
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("finding %s %s: its absence is confirmed", cmp.Or(e.Kind, "virtual machine"), e.ID)
}

// ConflictError means that the object's infrastructure cannot be created because other infrastructure is in its place, for example a VM
// with the same name.
type ConflictError struct {
	// Reason is the reason for the condition. If it is empty, the reason is VMNameConflict.
	Reason  string
	Message string
}

func (e *ConflictError) Error() string { return e.Message }

// ForeignError means that the infrastructure with this ID belongs to another object, although the state or the object contains the ID.
type ForeignError struct {
	ID      string
	Message string
}

func (e *ForeignError) Error() string { return e.Message }

// WaitError means that a run has to wait for an event outside of Terraform and is repeated later. A WaitError is not a failure, so no
// event is recorded.
type WaitError struct {
	// Reason is the reason for the condition.
	Reason  string
	Message string
}

func (e *WaitError) Error() string { return e.Message }
