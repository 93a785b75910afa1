// Package plan turns what Terraform planned into a record that people and rules can judge, and keeps the plan file until
// it is applied or superseded. Records hold addresses, actions and digests, never a value of an attribute.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
)

// Cause says why a plan was made.
type Cause string

// The causes of a plan.
const (
	CauseCreate Cause = "Create"
	CauseUpdate Cause = "Update"
	CauseDrift  Cause = "Drift"
	CauseImport Cause = "Import"
	CauseDelete Cause = "Delete"
)

// Action is what a plan does to one resource. A replacement is one action, whichever order it is carried out in.
type Action string

// The actions that a record distinguishes.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionReplace Action = "replace"
	ActionDelete  Action = "delete"
	ActionImport  Action = "import"
	ActionForget  Action = "forget"
)

// Change is what a plan does to one resource.
type Change struct {
	// Address is the resource's absolute address, for example module.machine.nutanix_virtual_machine.this.
	Address string
	// Actions has more than one element only where an imported resource is changed as well.
	Actions []Action
	// Reason is Terraform's action reason, for example replace_because_tainted; empty where it gives none.
	Reason string
}

// Has reports whether the change contains the action.
func (c Change) Has(action Action) bool { return slices.Contains(c.Actions, action) }

// Counts are the numbers of resources by action.
type Counts struct {
	Create, Update, Replace, Delete, Import int32
}

// Record describes one plan file completely enough to judge it and to recognise it again, without any value in it.
type Record struct {
	Cause Cause
	// Destroy says that the plan was made with -destroy.
	Destroy bool
	// WorkspaceDigest is the digest of the rendered workspace the plan was made from.
	WorkspaceDigest string
	// SHA256 is the hex digest of the plan file.
	SHA256 string
	// Lineage and Serial identify the state the plan was made against.
	Lineage string
	Serial  int64

	TerraformVersion string
	ProviderVersion  string

	Counts  Counts
	Changes []Change
	Time    time.Time
}

// Origin is what is known about a plan besides the plan itself.
type Origin struct {
	Cause            Cause
	Destroy          bool
	WorkspaceDigest  string
	Lineage          string
	Serial           int64
	TerraformVersion string
	ProviderVersion  string
	Time             time.Time
}

// Build makes the record of a saved plan file from the file's bytes and its JSON form.
func Build(origin Origin, file []byte, planned *tfjson.Plan) Record {
	record := Record{
		Cause:            origin.Cause,
		Destroy:          origin.Destroy,
		WorkspaceDigest:  origin.WorkspaceDigest,
		SHA256:           digest(file),
		Lineage:          origin.Lineage,
		Serial:           origin.Serial,
		TerraformVersion: origin.TerraformVersion,
		ProviderVersion:  origin.ProviderVersion,
		Time:             origin.Time,
	}
	for _, resource := range planned.ResourceChanges {
		actions := actionsOf(resource.Change)
		if len(actions) == 0 {
			continue
		}
		change := Change{Address: resource.Address, Actions: actions, Reason: string(resource.ActionReason)}
		record.Changes = append(record.Changes, change)
		record.Counts.add(change)
	}
	if record.Counts.Import > 0 {
		record.Cause = CauseImport
	}
	return record
}

func actionsOf(change *tfjson.Change) []Action {
	if change == nil {
		return nil
	}
	var actions []Action
	if change.Importing != nil {
		actions = append(actions, ActionImport)
	}
	switch {
	case change.Actions.Replace():
		actions = append(actions, ActionReplace)
	case change.Actions.Create():
		actions = append(actions, ActionCreate)
	case change.Actions.Update():
		actions = append(actions, ActionUpdate)
	case change.Actions.Delete():
		actions = append(actions, ActionDelete)
	case change.Actions.Forget():
		actions = append(actions, ActionForget)
	case !change.Actions.NoOp() && !change.Actions.Read():
		actions = append(actions, ActionReplace) // a combination that is not known is taken for the worst
	}
	return actions
}

func (c *Counts) add(change Change) {
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
		}
	}
}

// Total is what the plan does, in numbers: "1 to create, 2 to update".
func (r Record) Total() string {
	var parts []string
	for _, part := range []struct {
		count int32
		verb  string
	}{
		{r.Counts.Import, "to import"},
		{r.Counts.Create, "to create"},
		{r.Counts.Update, "to update"},
		{r.Counts.Replace, "to replace"},
		{r.Counts.Delete, "to delete"},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.verb))
		}
	}
	if len(parts) == 0 {
		return "no resources to change"
	}
	return strings.Join(parts, ", ")
}

// Summary is one line for people: the numbers, then each address with its actions, in the order of the plan.
func (r Record) Summary() string {
	if len(r.Changes) == 0 {
		return "Plan: " + r.Total() + ", outputs only"
	}
	var changes []string
	for _, change := range r.Changes {
		names := make([]string, 0, len(change.Actions))
		for _, action := range change.Actions {
			names = append(names, string(action))
		}
		changes = append(changes, change.Address+" "+strings.Join(names, "+"))
	}
	return fmt.Sprintf("Plan: %s (%s)", r.Total(), strings.Join(changes, ", "))
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
