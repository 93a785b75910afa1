package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/provider"
)

// resourceChange returns the change of one resource. If the plan does not change the resource, the result has no actions.
func resourceChange(resource *tfjson.ResourceChange, generation *provider.Generation) detailed {
	change := detailed{
		Change: Change{Address: resource.Address, Actions: actionsOf(resource), Reason: string(resource.ActionReason)},
		kind:   resource.Type, generation: generation,
	}
	if len(change.Actions) == 0 {
		return change
	}
	for _, action := range resource.Change.Actions {
		change.actions = append(change.actions, string(action))
	}
	if change.Has(ActionMove) {
		change.PreviousAddress = resource.PreviousAddress
	}
	if importing := resource.Change.Importing; importing != nil {
		change.ImportID = importing.ID
		change.identity = append(change.identity, importing.Identity)
	}
	if resource.DeposedKey != "" {
		change.Reason = cmp.Or(change.Reason, "deposed object "+resource.DeposedKey)
		change.identity = append(change.identity, resource.DeposedKey)
	}
	for _, path := range resource.Change.ReplacePaths {
		change.ReplacePaths = append(change.ReplacePaths, pathOf(path))
	}
	change.setValues(resource.Change)
	change.Disruption = disruptionOf(change.Change)
	if len(change.Actions) == 1 && change.Has(ActionDelete) && generation.Expendable(resource.Type, resource.Name) {
		change.Disruption = provider.None
	}
	return change
}

func actionsOf(resource *tfjson.ResourceChange) []Action {
	change := resource.Change
	if change == nil {
		return nil
	}
	var actions []Action
	if change.Importing != nil {
		actions = append(actions, ActionImport)
	}
	if resource.PreviousAddress != "" && resource.PreviousAddress != resource.Address {
		actions = append(actions, ActionMove)
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
		actions = append(actions, ActionReplace) // an unknown combination is treated as the most disruptive action
	}
	return actions
}

// setValues sets the values and the attributes of a change.
func (d *detailed) setValues(change *tfjson.Change) {
	switch {
	case d.Has(ActionUpdate):
		d.values = changedValues(change)
	case d.Has(ActionReplace):
		d.values = allValues(change.Before, change.After, change.AfterUnknown)
	case d.Has(ActionCreate):
		d.values = allValues(nil, change.After, change.AfterUnknown)
	case d.Has(ActionDelete), d.Has(ActionForget):
		for _, value := range allValues(change.Before, nil, nil) {
			if !d.generation.Observed(d.kind, value.Path) {
				d.values = append(d.values, value)
			}
		}
	}
	for _, value := range d.values {
		if d.listed(value) {
			d.Attributes = append(d.Attributes, d.attribute(value))
		}
	}
	slices.SortStableFunc(d.Attributes, func(a, b Attribute) int { return cmp.Compare(b.Disruption, a.Disruption) })
}

// listed reports whether the record lists a value. A record lists every value that an update changes. If a resource is created, most
// attributes are unset or known only after the apply, and are not listed. If one is deleted, only the values that identify it are listed.
func (d *detailed) listed(value valuePair) bool {
	switch {
	case d.Has(ActionUpdate):
		return true
	case d.Has(ActionReplace):
		return value.changes() && (!value.whollyUnknown() || d.forcesReplace(value.Path))
	case d.Has(ActionCreate):
		return !value.whollyUnknown() && !isZero(value.After) && !d.generation.Derived(d.kind, value.Path)
	default:
		return !isZero(value.Before) && !d.generation.Derived(d.kind, value.Path) && d.generation.Identifying(d.kind, value.Path)
	}
}

func (d *detailed) forcesReplace(path string) bool {
	return slices.ContainsFunc(d.ReplacePaths, func(replaced string) bool {
		rest, below := strings.CutPrefix(path, replaced)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// attribute returns a value as a record lists it. Only the change of an attribute of an existing resource has a disruption class.
func (d *detailed) attribute(value valuePair) Attribute {
	attribute := Attribute{Path: value.Path, Before: rendered(value.Before), After: rendered(value.After), Unknown: value.Unknown}
	if d.Has(ActionUpdate) || d.Has(ActionReplace) {
		attribute.Disruption = d.generation.Disruption(d.kind, value.Path)
	}
	return attribute
}

// pathOf returns the path of an attribute in the form of valuePair.Path. Terraform writes a path as a list of names and indexes.
func pathOf(steps any) string {
	list, ok := steps.([]any)
	if !ok {
		return fmt.Sprint(steps)
	}
	path := ""
	for _, step := range list {
		if name, isName := step.(string); isName {
			path = joined(path, name)
		} else {
			path += fmt.Sprintf("[%v]", step)
		}
	}
	return path
}
