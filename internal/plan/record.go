// Package plan converts Terraform plans to records. It also stores the plan files until they are applied or superseded. Users and rules
// read records. Records contain everything that a plan changes, but no sensitive values.
package plan

import (
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/provider"
)

// Cause is the reason why a plan was made.
type Cause string

// Causes of a plan.
const (
	CauseCreate Cause = "Create"
	CauseUpdate Cause = "Update"
	CauseDrift  Cause = "Drift"
	CauseImport Cause = "Import"
	CauseDelete Cause = "Delete"
	// CauseMigrate moves infrastructure from the workspace with one Prism API to the workspace with the other, and changes nothing.
	CauseMigrate Cause = "Migrate"
	// CauseForget and CauseUntaint are edits of the state.
	CauseForget  Cause = "Forget"
	CauseUntaint Cause = "Untaint"
)

// Counts contains the number of resources for each action. Other is the number of changes that are not changes of resources: outputs,
// moves, edits of a taint, deferred changes and actions of the provider.
type Counts struct {
	Create, Update, Replace, Delete, Import, Forget, Other int32
}

// Basis identifies the inputs of a plan. A plan may be applied only if all of its inputs are unchanged.
type Basis struct {
	// WorkspaceDigest is the digest of the rendered workspace.
	WorkspaceDigest string
	// Observed is the digest of the workspace files that were rendered from observed values. It is empty if no file was rendered from them.
	Observed string
	// Lineage and Serial identify the Terraform state.
	Lineage string
	Serial  int64
	// Variables is the keyed fingerprint of the sensitive variables.
	Variables string
	// Infrastructure is the digest of the infrastructure from which the plan was made (see lifecycle.Observation), or empty. Verify ignores
	// it, because infrastructure may change in a way that does not concern the plan.
	Infrastructure string
}

// Hold is the reason why an update of existing infrastructure has to wait, whatever its disruption class. Reason is the reason for a
// condition.
type Hold struct{ Reason, Message string }

// Record describes one plan file and the changes that its apply would make, or one edit of the Terraform state. It contains no sensitive
// values.
type Record struct {
	// Target is the object whose infrastructure the plan changes. Source says who and what caused the change.
	Target infrav1.PlanTarget
	Source infrav1.PlanOrigin
	Cause  Cause
	// Destroy is true if the plan was made with -destroy.
	Destroy bool
	// Disruption is the worst disruption class of all changes.
	Disruption provider.Class
	// Hold is the reason why the plan waits even if its disruption class is None. It is nil if nothing else delays the plan.
	Hold *Hold
	Basis
	// SHA256 is the SHA-256 digest of the plan file in hex. It is empty if there is no plan file, because the plan edits only the state.
	SHA256 string

	TerraformVersion string
	ProviderVersion  string

	// ChangeDigest identifies the change of this target by its content, and ClassDigest identifies the same change of any machine of one
	// owner. Both have the form "sha256:" and 64 hex digits.
	ChangeDigest string
	ClassDigest  string

	// Counts contains exact numbers. Changes contains the most disruptive changes first, and Omitted counts what it leaves out.
	Counts  Counts
	Changes []Change
	Omitted infrav1.PlanOmitted
	Time    time.Time
}

// Origin contains facts about a plan that the plan file does not contain.
type Origin struct {
	// Target is the object whose infrastructure the plan changes. Source says who and what caused the change.
	Target infrav1.PlanTarget
	Source infrav1.PlanOrigin
	// Generation determines the disruption classes of the changes.
	Generation *provider.Generation
	Cause      Cause
	Destroy    bool
	// Hold is the reason why existing resources must not be changed now, or nil.
	Hold *Hold
	// SwitchedOff means that the virtual machine is off and that the plan switches it on. A power cycle then interrupts nothing, so changes
	// of class PowerCycle have class None.
	SwitchedOff bool
	Basis
	TerraformVersion string
	ProviderVersion  string
	Time             time.Time
}

func (c *Counts) add(change Change) {
	if change.Output() {
		c.Other++
		return
	}
	for _, action := range change.Actions {
		switch action {
		case ActionCreate:
			c.Create++
		case ActionUpdate:
			c.Update++
		case ActionReplace:
			c.Replace++
		case ActionDelete:
			c.Delete++
		case ActionImport:
			c.Import++
		case ActionForget:
			c.Forget++
		case ActionMove, ActionUntaint, ActionDefer, ActionInvoke:
			c.Other++
		}
	}
}

// Creates reports whether the plan creates the resource at address.
func (r Record) Creates(address string) bool { return r.change(address).Has(ActionCreate) }

// SwitchesOn reports whether the plan switches on the virtual machine at address.
func (r Record) SwitchesOn(address string) bool { return r.PowerState(address) == "ON" }

// PowerState returns the power state that the plan sets for the virtual machine at address, or an empty string if the plan does not change it.
func (r Record) PowerState(address string) string {
	for _, attribute := range r.change(address).Attributes {
		if attribute.Path == "power_state" && attribute.After != nil {
			return *attribute.After
		}
	}
	return ""
}

// ImportID returns the ID with which the plan imports the resource at address, or an empty string.
func (r Record) ImportID(address string) string { return r.change(address).ImportID }

// change returns the change of the resource at address. If the plan does not change the resource, the result has no actions.
func (r Record) change(address string) Change {
	for _, change := range r.Changes {
		if change.Address == address {
			return change
		}
	}
	return Change{}
}
