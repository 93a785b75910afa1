package plan

import "fmt"

// StaleError says that a recorded plan no longer fits the world and has to be made again.
type StaleError struct {
	// What differs: "plan file", "workspace" or "state".
	What           string
	Recorded, Have string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("verifying plan: the %s differs from the recorded one (recorded %s, have %s)", e.What, e.Recorded, e.Have)
}

// Verify checks the three equalities without which a recorded plan is not applied: the plan file, the workspace as it is
// rendered now, and the state it was made against. It returns a *StaleError for the first that does not hold.
func (r Record) Verify(file []byte, workspaceDigest, lineage string, serial int64) error {
	if have := digest(file); have != r.SHA256 {
		return &StaleError{What: "plan file", Recorded: r.SHA256, Have: have}
	}
	if workspaceDigest != r.WorkspaceDigest {
		return &StaleError{What: "workspace", Recorded: r.WorkspaceDigest, Have: workspaceDigest}
	}
	recorded, have := fmt.Sprintf("%s/%d", r.Lineage, r.Serial), fmt.Sprintf("%s/%d", lineage, serial)
	if recorded != have {
		return &StaleError{What: "state", Recorded: recorded, Have: have}
	}
	return nil
}
