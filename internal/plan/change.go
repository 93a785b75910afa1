package plan

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/provider"
)

// Action is an action of a plan on one resource. A replacement is a single action, regardless of whether the resource is created or
// deleted first.
type Action string

// Actions that a record can contain.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionReplace Action = "replace"
	ActionDelete  Action = "delete"
	ActionImport  Action = "import"
	ActionForget  Action = "forget"
)

// Change describes what a plan does with one resource.
type Change struct {
	// Address is the absolute address of the resource, for example module.machine.nutanix_virtual_machine.this.
	Address string
	// Actions contains several actions only if a resource is imported and also changed.
	Actions []Action
	// Reason is Terraform's reason for the action, for example replace_because_tainted. It is empty if Terraform reports no reason.
	Reason string
	// Attributes are the attributes that an update or a replacement changes, sorted by path.
	Attributes []Attribute
	// Disruption is the class of the change.
	Disruption provider.Class
	// ImportID is the ID with which the resource is imported. It is empty if the resource is not imported.
	ImportID string
}

// Attribute is an attribute of a resource that a plan changes.
type Attribute struct {
	// Path is the path of the attribute, for example memory_size_mib or categories[0].value.
	Path       string
	Disruption provider.Class
}

// Has reports whether the change contains the action.
func (c Change) Has(action Action) bool { return slices.Contains(c.Actions, action) }

// String returns the address with the actions and the changed attributes, for example
// "module.machine.nutanix_virtual_machine.this update: memory_size_mib".
func (c Change) String() string {
	names := make([]string, 0, len(c.Actions))
	for _, action := range c.Actions {
		names = append(names, string(action))
	}
	text := c.Address + " " + strings.Join(names, "+")
	if attributes := c.attributesFrom(provider.None); len(attributes) > 0 {
		text += ": " + strings.Join(attributes, ", ")
	}
	return text
}

// attributesFrom returns the names of the changed attributes with the disruption class class or a worse one. A name is the first element
// of the attribute's path.
func (c Change) attributesFrom(class provider.Class) []string {
	var names []string
	for _, attribute := range c.Attributes {
		if attribute.Disruption < class {
			continue
		}
		name, _, _ := strings.Cut(attribute.Path, ".")
		name, _, _ = strings.Cut(name, "[")
		names = append(names, name)
	}
	return slices.Compact(names)
}

// changeOf returns the change of one resource. If the plan does not change the resource, the result has no actions.
func changeOf(resource *tfjson.ResourceChange, generation *provider.Generation) Change {
	change := Change{Address: resource.Address, Actions: actionsOf(resource.Change), Reason: string(resource.ActionReason)}
	if change.Has(ActionUpdate) || change.Has(ActionReplace) {
		for _, path := range changedPaths(resource.Change) {
			change.Attributes = append(change.Attributes, Attribute{path, generation.Disruption(resource.Type, path)})
		}
	}
	if change.Has(ActionImport) {
		change.ImportID = resource.Change.Importing.ID
	}
	change.Disruption = disruptionOf(change)
	return change
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
		actions = append(actions, ActionReplace) // an unknown combination is treated as the most disruptive action
	}
	return actions
}

// disruptionOf returns the disruption class of a change. An update has the worst class if the changed attributes are unknown.
func disruptionOf(change Change) provider.Class {
	class := provider.None
	if change.Has(ActionUpdate) && len(change.Attributes) == 0 || change.Has(ActionReplace) {
		class = provider.Replace
	}
	if change.Has(ActionDelete) {
		class = provider.Destroy
	}
	for _, attribute := range change.Attributes {
		class = max(class, attribute.Disruption)
	}
	return class
}
