package plan

import (
	"fmt"
	"strings"
)

// Decision is what became of a recorded plan.
type Decision string

// The decisions. Waiting is the absence of one.
const (
	Approved Decision = "Approved"
	Denied   Decision = "Denied"
	Waiting  Decision = "Waiting"
)

// Verdict is a decision with its reason.
type Verdict struct {
	Decision Decision
	Reason   string
}

// Decide judges a record of an object that is being deleted or not. Whatever would destroy or replace something that
// belongs to a living object waits for a person, in every mode; everything else is approved.
//
// This is the seam for modes, policies and people's decisions: they turn Waiting into Approved or Denied.
func Decide(record Record, deleting bool) Verdict {
	if deleting {
		return Verdict{Decision: Approved, Reason: "the object is being deleted"}
	}
	if destructive := record.Destructive(); len(destructive) > 0 {
		return Verdict{Decision: Waiting, Reason: fmt.Sprintf("the plan would destroy or replace %s although the object is not being deleted", strings.Join(destructive, ", "))}
	}
	return Verdict{Decision: Approved, Reason: "nothing is destroyed or replaced"}
}

// Destructive lists the addresses that the plan destroys or replaces.
func (r Record) Destructive() []string {
	var addresses []string
	for _, change := range r.Changes {
		if change.Has(ActionDelete) || change.Has(ActionReplace) {
			addresses = append(addresses, change.Address)
		}
	}
	return addresses
}
