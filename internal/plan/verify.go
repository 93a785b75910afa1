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

// Verify checks whether a recorded plan may be applied. The workspace, the observed infrastructure, the state, the sensitive variables and
// the plan file must be the same as when the plan was made. Verify returns a *StaleError for the first difference. The file is last, because
// a stored file cannot be read if the variables have changed. It is nil if there is none that can be read.
func (r Record) Verify(file []byte, present Basis) error {
	have := digest(file)
	if file == nil {
		have = "none that can be read"
	}
	for _, check := range []struct{ what, recorded, have string }{
		{"workspace", r.WorkspaceDigest, present.WorkspaceDigest},
		{"observed infrastructure", r.Observed, present.Observed},
		{"state", r.state(), present.state()},
		{"fingerprint of the sensitive variables", r.Variables, present.Variables},
		{"plan file", r.SHA256, have},
	} {
		if check.recorded != check.have {
			return &StaleError{What: check.what, Recorded: check.recorded, Have: check.have}
		}
	}
	return nil
}

func (b Basis) state() string { return fmt.Sprintf("%s/%d", b.Lineage, b.Serial) }
