// Package plan converts Terraform plans to records for people and rules, and stores the plan file until it is applied or
// superseded. Records contain addresses, actions, names of attributes and digests. They never contain values of attributes.
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

// Basis identifies the inputs of a plan. A plan is applied only if its inputs have not changed.
type Basis struct {
	// WorkspaceDigest is the digest of the rendered workspace.
	WorkspaceDigest string
	// Observed is the digest of the workspace files that were rendered from observed infrastructure. It is empty if there are
	// none.
	Observed string
	// Lineage and Serial identify the state.
	Lineage string
	Serial  int64
}

// Hold is the reason why an update of infrastructure has to wait, regardless of its disruption class. The reason is that of a
// condition.
type Hold struct{ Reason, Message string }

// Record describes one plan file and the changes that its apply would make. It contains no values of attributes.
type Record struct {
	Cause Cause
	// Destroy says that the plan was made with -destroy.
	Destroy bool
	// Disruption is the worst class of the changes.
	Disruption provider.Class
	// Hold is the reason why the plan waits although its class is None; nil if it does not wait.
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

// Origin contains the facts about a plan that are not in the plan itself.
type Origin struct {
	// Generation classifies the changes of the plan.
	Generation *provider.Generation
	Cause      Cause
	Destroy    bool
	// Hold is the reason why existing resources must not be changed.
	Hold *Hold
	Basis
	TerraformVersion string
	ProviderVersion  string
	Time             time.Time
}

// Build returns the record of a saved plan file. It needs the file's bytes and its JSON form.
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

// Creates reports whether the plan creates the resource at that address.
func (r Record) Creates(address string) bool { return r.change(address).Has(ActionCreate) }

// ImportID returns the ID with which the resource at that address is imported, or an empty string.
func (r Record) ImportID(address string) string { return r.change(address).ImportID }

// change returns the change of the resource at that address. It has no actions if the plan does not change the resource.
func (r Record) change(address string) Change {
	for _, change := range r.Changes {
		if change.Address == address {
			return change
		}
	}
	return Change{}
}

// Total returns the number of resources for each action, for example "1 to create, 2 to update".
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

// Summary returns one line for people with the numbers, then each address with its actions and changed attributes.
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
