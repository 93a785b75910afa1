package plan

import "fmt"

// StaleError says that a recorded plan does not fit any more and has to be made again.
type StaleError struct {
	// What differs: "plan file", "workspace", "observed infrastructure" or "state".
	What           string
	Recorded, Have string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("verifying plan: the %s differs from the recorded one (recorded %s, have %s)", e.What, e.Recorded, e.Have)
}

// Verify checks the equalities without which a recorded plan is not applied: the plan file and its basis, which is the
// workspace as it is rendered now, what was observed, and the state. It returns a *StaleError for the first that does not hold.
func (r Record) Verify(file []byte, present Basis) error {
	for _, check := range []struct{ what, recorded, have string }{
		{"plan file", r.SHA256, digest(file)},
		{"workspace", r.WorkspaceDigest, present.WorkspaceDigest},
		{"observed infrastructure", r.Observed, present.Observed},
		{"state", r.state(), present.state()},
	} {
		if check.recorded != check.have {
			return &StaleError{What: check.what, Recorded: check.recorded, Have: check.have}
		}
	}
	return nil
}

func (b Basis) state() string { return fmt.Sprintf("%s/%d", b.Lineage, b.Serial) }
