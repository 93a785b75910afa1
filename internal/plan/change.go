package plan

import (
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/provider"
)

// Action is an action of a plan. A replacement is a single action, regardless of whether the resource is created or deleted first.
type Action string

// Actions that a record can contain.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionReplace Action = "replace"
	ActionDelete  Action = "delete"
	ActionImport  Action = "import"
	ActionForget  Action = "forget"
	// ActionMove changes the address of a resource in the state.
	ActionMove Action = "move"
	// ActionUntaint removes the taint of a resource in the state. Only the manager does this, without a plan file.
	ActionUntaint Action = "untaint"
	// ActionDefer is a change that Terraform leaves for a later plan.
	ActionDefer Action = "defer"
	// ActionInvoke runs an action of the provider.
	ActionInvoke Action = "invoke"
)

// Change describes what a plan does with one resource, with one output, or with one action of the provider.
type Change struct {
	// Address is the absolute address, for example module.machine.nutanix_virtual_machine.this. The address of an output starts with
	// "output.", that of an action with "action.".
	Address string
	// Actions contains several actions only if a resource is imported or moved and also changed.
	Actions []Action
	// Reason is Terraform's reason for the action, for example replace_because_tainted, or the manager's reason for an edit of the state. It
	// may be empty.
	Reason string
	// Attributes are the attributes that the change sets, changes or removes, the most disruptive first. An update has all attributes that
	// change. A create has those that are known, not empty and not derived from others. A delete has those that identify the resource.
	Attributes []Attribute
	// Disruption is the class of the change.
	Disruption provider.Class
	// ImportID is the ID with which the resource is imported. It is empty if the resource is not imported.
	ImportID string
	// PreviousAddress is the address of a moved resource before the move.
	PreviousAddress string
	// ReplacePaths are the paths of the attributes that force a replacement.
	ReplacePaths []string
}

// Attribute is an attribute that a plan sets, changes or removes.
type Attribute struct {
	// Path is the path of the attribute, for example memory_size_mib or categories[0].value.
	Path       string
	Disruption provider.Class
	// Before is the present value: a string as it is, any other value as JSON. It is nil if there is none.
	Before *string
	// After is the planned value. It is nil if there is none, or if it is unknown.
	After *string
	// Unknown means that the planned value, or a part of it, is known only after the apply.
	Unknown bool
}

// outputPrefix is the beginning of the address of an output, and actionPrefix that of an action.
const (
	outputPrefix = "output."
	actionPrefix = "action."
)

// Has reports whether the change contains the action.
func (c Change) Has(action Action) bool { return slices.Contains(c.Actions, action) }

// Output reports whether the change is a change of an output.
func (c Change) Output() bool { return strings.HasPrefix(c.Address, outputPrefix) }

// String returns the address with the actions and the changed attributes, for example
// "module.machine.nutanix_virtual_machine.this update: memory_size_mib".
func (c Change) String() string {
	names := make([]string, 0, len(c.Actions))
	for _, action := range c.Actions {
		names = append(names, string(action))
	}
	text := c.Address + " " + strings.Join(names, "+")
	if !c.Has(ActionUpdate) && !c.Has(ActionReplace) {
		return text
	}
	if attributes := c.attributesFrom(provider.None); len(attributes) > 0 {
		text += ": " + strings.Join(attributes, ", ")
	}
	return text
}

// ignorePowerCycles gives all attributes of class PowerCycle the class None.
func (c *Change) ignorePowerCycles() {
	for i := range c.Attributes {
		if c.Attributes[i].Disruption == provider.PowerCycle {
			c.Attributes[i].Disruption = provider.None
		}
	}
	c.Disruption = disruptionOf(*c)
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

// disruptionOf returns the disruption class of a change. An update has the worst class if the changed attributes are unknown. What an
// action of the provider does is unknown, too.
func disruptionOf(change Change) provider.Class {
	class := provider.None
	if change.Has(ActionUpdate) && len(change.Attributes) == 0 || change.Has(ActionReplace) || change.Has(ActionInvoke) {
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
