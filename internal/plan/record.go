// Package plan turns what Terraform planned into a record that people and rules can judge, and keeps the plan file until
// it is applied or superseded. Records contain addresses, actions, names of attributes and digests, and never a value of an
// attribute.
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

// Counts are the numbers of resources by action.
type Counts struct {
	Create, Update, Replace, Delete, Import int32
}

// Record describes one plan file. It identifies the file and says what an apply would do, and it contains no value of an
// attribute.
type Record struct {
	Cause Cause
	// Destroy says that the plan was made with -destroy.
	Destroy bool
	// Disruption is the worst class of the changes.
	Disruption provider.Class
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

// Origin is what is known about a plan apart from the plan itself.
type Origin struct {
	// Generation classifies the changes of the plan.
	Generation       *provider.Generation
	Cause            Cause
	Destroy          bool
	WorkspaceDigest  string
	Lineage          string
	Serial           int64
	TerraformVersion string
	ProviderVersion  string
	Time             time.Time
}

// Build returns the record of a saved plan file, from the file's bytes and its JSON form.
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
		change := changeOf(resource, origin.Generation)
		if len(change.Actions) == 0 {
			continue
		}
		record.Changes = append(record.Changes, change)
		record.Counts.add(change)
		record.Disruption = max(record.Disruption, change.Disruption)
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

// Total returns the numbers of resources by action, for example "1 to create, 2 to update".
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

// Summary returns one line for people: the numbers, then each address with its actions and changed attributes.
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
