package plan

import "fmt"

// StaleError means that an input of a recorded plan has changed, so the target must be planned again.
type StaleError struct {
	// What is the input that has changed: "plan file", "workspace", "observed infrastructure", "state" or
	// "fingerprint of the sensitive variables".
	What           string
	Recorded, Have string
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("verifying plan: the %s differs from the recorded one (recorded %s, have %s)", e.What, e.Recorded, e.Have)
}

// Verify checks whether a recorded plan may be applied. The plan file, the workspace, the observed infrastructure, the state and the
// sensitive variables must be the same as when the plan was made. Verify returns a *StaleError for the first difference.
func (r Record) Verify(file []byte, present Basis) error {
	for _, check := range []struct{ what, recorded, have string }{
		{"plan file", r.SHA256, digest(file)},
		{"workspace", r.WorkspaceDigest, present.WorkspaceDigest},
		{"observed infrastructure", r.Observed, present.Observed},
		{"state", r.state(), present.state()},
		{"fingerprint of the sensitive variables", r.Variables, present.Variables},
	} {
		if check.recorded != check.have {
			return &StaleError{What: check.what, Recorded: check.recorded, Have: check.have}
		}
	}
	return nil
}

func (b Basis) state() string { return fmt.Sprintf("%s/%d", b.Lineage, b.Serial) }
