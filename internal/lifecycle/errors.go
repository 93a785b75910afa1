package lifecycle

import "fmt"

// AbsentError says that it is certain that infrastructure does not exist.
type AbsentError struct {
	// ID is the ID under which the infrastructure was known, or empty. For a virtual machine it is the UUID.
	ID string
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("finding virtual machine %s: its absence is confirmed", e.ID)
}

// ConflictError says that other infrastructure exists where the object's own would be created.
type ConflictError struct {
	// Reason is the reason of the condition. It is VMNameConflict if it is empty.
	Reason  string
	Message string
}

func (e *ConflictError) Error() string { return e.Message }

// ForeignError says that the infrastructure of that ID belongs to another object, although the state or the object names it.
type ForeignError struct {
	ID      string
	Message string
}

func (e *ForeignError) Error() string { return e.Message }

// WaitError says that a run cannot go on before something is certain. The run is repeated. It is no failure, so that no event
// is recorded.
type WaitError struct {
	// Reason is the reason of the condition.
	Reason  string
	Message string
}

func (e *WaitError) Error() string { return e.Message }
