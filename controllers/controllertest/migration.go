package controllertest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

var (
	importBlock  = regexp.MustCompile(`to = (\S+)\n\s+id = "(.*)"`)
	removedBlock = regexp.MustCompile(`from = (\S+)`)
)

// migrates reports whether the state contains resources of another API than the workspace.
func (w *workspace) migrates(state *terraform.State) bool {
	return !state.Empty() && !slices.ContainsFunc(state.Resources, func(resource terraform.Resource) bool { return resource.Address == w.address() })
}

// planMigration plans a workspace whose resources are not in the state. Without the file that describes a migration, Terraform would
// destroy the resources in the state and create others.
func (w *workspace) planMigration(state *terraform.State) (*terraform.Plan, error) {
	planned, file := &tfjson.Plan{}, w.files[renderer.MigrationFile]
	add := func(address string, change *tfjson.Change) {
		planned.ResourceChanges = append(planned.ResourceChanges, &tfjson.ResourceChange{Address: address, Type: strings.Split(address, ".")[2], Change: change})
	}
	isImported := false
	for _, block := range importBlock.FindAllSubmatch(file, -1) {
		address, id := string(block[1]), string(block[2])
		isImported = isImported || address == w.address()
		change := &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionNoop}, Importing: &tfjson.Importing{ID: id}}
		if before, after := w.differences(id); w.isMachine() && len(before) > 0 {
			change.Actions, change.Before, change.After = tfjson.Actions{tfjson.ActionUpdate}, before, after
		}
		add(address, change)
	}
	if !isImported {
		add(w.address(), &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionCreate}})
	}
	var forgotten []string
	for _, block := range removedBlock.FindAllSubmatch(file, -1) {
		forgotten = append(forgotten, string(block[1]))
	}
	for _, resource := range state.Resources {
		action := tfjson.ActionDelete
		if slices.Contains(forgotten, resource.Address) {
			action = tfjson.ActionForget
		}
		add(resource.Address, &tfjson.Change{Actions: tfjson.Actions{action}, Before: map[string]any{"id": resource.ID}})
	}
	bytes, err := json.Marshal(planned)
	return &terraform.Plan{Bytes: bytes, JSON: planned, HasChanges: true}, err
}

// migrated returns the resources in the state after the apply of a plan of planMigration, or nil if the plan is another one.
func (w *workspace) migrated(file []byte) []terraform.Resource {
	planned := &tfjson.Plan{}
	_ = planned.UnmarshalJSON(file)
	var resources []terraform.Resource
	for _, resource := range planned.ResourceChanges {
		switch change := resource.Change; {
		case change.Importing != nil:
			resources = append(resources, terraform.Resource{Address: resource.Address, ID: change.Importing.ID})
		case change.Actions.Create():
			resources = append(resources, terraform.Resource{Address: resource.Address, ID: "category"})
		}
	}
	return resources
}
