// Package plan converts Terraform plans to records. It also stores the plan files until they are applied or superseded. Users and rules
// read records. Records contain addresses, actions, names of attributes and digests, but never values of attributes.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

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
)

// Counts contains the number of resources for each action.
type Counts struct {
	Create, Update, Replace, Delete, Import int32
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
}

// Hold is the reason why an update of existing infrastructure has to wait, whatever its disruption class. Reason is the reason for a
// condition.
type Hold struct{ Reason, Message string }

// Record describes one plan file and the changes that its apply would make. It contains no attribute values.
type Record struct {
	Cause Cause
	// Destroy is true if the plan was made with -destroy.
	Destroy bool
	// Disruption is the worst disruption class of all changes.
	Disruption provider.Class
	// Hold is the reason why the plan waits even if its disruption class is None. It is nil if nothing else delays the plan.
	Hold *Hold
	Basis
	// SHA256 is the SHA-256 digest of the plan file in hex.
	SHA256 string

	TerraformVersion string
	ProviderVersion  string

	Counts  Counts
	Changes []Change
	Time    time.Time
}

// Origin contains facts about a plan that the plan file does not contain.
type Origin struct {
	// Generation determines the disruption classes of the changes.
	Generation *provider.Generation
	Cause      Cause
	Destroy    bool
	// Hold is the reason why existing resources must not be changed now, or nil.
	Hold *Hold
	Basis
	TerraformVersion string
	ProviderVersion  string
	Time             time.Time
}

// Build returns the record of a saved plan. file is the content of the plan file, and planned is its JSON form.
func Build(origin Origin, file []byte, planned *tfjson.Plan) Record {
	record := Record{
		Cause:            origin.Cause,
		Destroy:          origin.Destroy,
		Basis:            origin.Basis,
		SHA256:           digest(file),
		TerraformVersion: origin.TerraformVersion,
		ProviderVersion:  origin.ProviderVersion,
		Time:             origin.Time,
	}
	for _, resource := range planned.ResourceChanges {
		change := changeOf(resource, origin.Generation)
		if len(change.Actions) == 0 {
			continue
		}
		record.Changes = append(record.Changes, change)
		record.Counts.add(change)
		record.Disruption = max(record.Disruption, change.Disruption)
		if change.Has(ActionUpdate) {
			record.Hold = origin.Hold
		}
	}
	if record.Counts.Import > 0 {
		record.Cause = CauseImport
	}
	return record
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

// Creates reports whether the plan creates the resource at address.
func (r Record) Creates(address string) bool { return r.change(address).Has(ActionCreate) }

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

// Total returns a summary such as "1 to create, 2 to update".
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

// Summary returns one line for users. The line contains the number of resources for each action, then the address, the actions and the
// changed attributes of each resource.
func (r Record) Summary() string {
	if len(r.Changes) == 0 {
		return "Plan: " + r.Total() + ", outputs only"
	}
	var changes []string
	for _, change := range r.Changes {
		changes = append(changes, change.String())
	}
	return fmt.Sprintf("Plan: %s (%s)", r.Total(), strings.Join(changes, ", "))
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
