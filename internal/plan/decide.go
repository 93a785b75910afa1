package plan

import (
	"fmt"
	"strings"

	"github.com/capnt/capnt/internal/provider"
)

// Decision is the decision about a recorded plan.
type Decision string

// Decisions. Waiting means that no decision has been made yet.
const (
	Approved Decision = "Approved"
	Denied   Decision = "Denied"
	Waiting  Decision = "Waiting"
)

// Verdict is a decision and the reason for it.
type Verdict struct {
	Decision Decision
	Reason   string
}

// Decide returns the decision about a record. If the object is not being deleted, a plan waits if its disruption class is above None or
// if it has a hold. All other plans are approved. The deletion of an object counts as approval of its destroy plan.
//
// Future modes, policies and manual decisions belong here: they will turn Waiting into Approved or Denied.
func Decide(record Record, deleting bool) Verdict {
	switch {
	case deleting:
		return Verdict{Decision: Approved, Reason: "the object is being deleted"}
	case record.Disruption > provider.None:
		return Verdict{Decision: Waiting, Reason: fmt.Sprintf("the plan has disruption class %s: %s",
			record.Disruption, strings.Join(record.disruptive(), "; "))}
	case record.Hold != nil:
		return Verdict{Decision: Waiting, Reason: record.Hold.Message}
	default:
		return Verdict{Decision: Approved, Reason: "the plan disrupts nothing"}
	}
}

// disruptive returns descriptions of the changes whose disruption class is above None.
func (r Record) disruptive() []string {
	var changes []string
	for _, change := range r.Changes {
		attributes := strings.Join(change.attributesFrom(provider.PowerCycle), ", ")
		switch {
		case change.Disruption == provider.None:
		case change.Has(ActionDelete):
			changes = append(changes, "it destroys "+change.Address)
		case change.Has(ActionReplace) && attributes == "":
			changes = append(changes, "it replaces "+change.Address)
		case change.Has(ActionReplace):
			changes = append(changes, "it replaces "+change.Address+" and changes its "+attributes)
		case attributes == "":
			changes = append(changes, "it changes "+change.Address)
		default:
			changes = append(changes, "it changes "+attributes+" of "+change.Address)
		}
	}
	return changes
}
