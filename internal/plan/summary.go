package plan

import (
	"fmt"
	"strings"
)

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
		{r.Counts.Forget, "to forget"},
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
	var changes []string
	for _, change := range r.Resources() {
		changes = append(changes, change.String())
	}
	if len(changes) == 0 {
		return "Plan: " + r.Total() + ", outputs only"
	}
	return fmt.Sprintf("Plan: %s (%s)", r.Total(), strings.Join(changes, ", "))
}

// Resources returns the changes that are not changes of outputs.
func (r Record) Resources() []Change {
	var changes []Change
	for _, change := range r.Changes {
		if !change.Output() {
			changes = append(changes, change)
		}
	}
	return changes
}

// Symbols returns the shortest summary, with the symbols that Terraform shows in front of resources: "+1" for a create, "~1" for an update,
// "-/+1" for a replacement and "-1" for a delete. Terraform has no symbols for imports and forgotten resources: "import 1", "forget 1".
// A plan that changes no resources has "other 2". A plan without a file has "state".
func (r Record) Symbols() string {
	if r.SHA256 == "" {
		return "state"
	}
	var parts []string
	for _, part := range []struct {
		symbol string
		count  int32
	}{
		{"import ", r.Counts.Import}, {"+", r.Counts.Create}, {"~", r.Counts.Update}, {"-/+", r.Counts.Replace}, {"-", r.Counts.Delete},
		{"forget ", r.Counts.Forget},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%s%d", part.symbol, part.count))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("other %d", r.Counts.Other)
	}
	return strings.Join(parts, " ")
}
