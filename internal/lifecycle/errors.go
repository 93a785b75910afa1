package lifecycle

import "fmt"

// AbsentError says that the absence of infrastructure is confirmed.
type AbsentError struct {
	// ID is the last known ID of the infrastructure, or empty. For a virtual machine it is the UUID.
	ID string
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("finding virtual machine %s: its absence is confirmed", e.ID)
}

// ConflictError says that foreign infrastructure exists where the object's own would be created, for example under the same name.
type ConflictError struct {
	// Reason is the reason of the condition. An empty reason means VMNameConflict.
	Reason  string
	Message string
}

func (e *ConflictError) Error() string { return e.Message }

// ForeignError says that the infrastructure with that ID belongs to another object although the state or the object names it.
type ForeignError struct {
	ID      string
	Message string
}

func (e *ForeignError) Error() string { return e.Message }

// WaitError says that a run has to wait for an event outside of Terraform. The run is repeated later. It did not fail, so no event
// is recorded.
type WaitError struct {
	// Reason is the reason of the condition.
	Reason  string
	Message string
}

func (e *WaitError) Error() string { return e.Message }
