package display

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// planFormatVersion is the version of Terraform's JSON format for plans
// (https://developer.hashicorp.com/terraform/internals/json-format).
const planFormatVersion = "1.2"

// sensitivePrefix is the beginning of a value that replaces a sensitive value in a record.
const sensitivePrefix = "(sensitive value"

// TerraformPlan returns a plan in Terraform's JSON format, as far as it is recorded. Sensitive values are replaced, and an update contains
// only the attributes that it changes. A record does not distinguish the string "1" from the number 1, so both become a number.
func TerraformPlan(plan *infrav1.NutanixPlan) *tfjson.Plan {
	result := &tfjson.Plan{FormatVersion: planFormatVersion, PlannedValues: &tfjson.StateValues{RootModule: &tfjson.StateModule{}}}
	if plan.Spec.File != nil {
		result.TerraformVersion = plan.Spec.File.Terraform
	}
	complete := plan.Spec.Omitted == infrav1.PlanOmitted{}
	result.Complete = &complete
	for _, change := range plan.Spec.Changes {
		output, isOutput := strings.CutPrefix(change.Address, "output.")
		action, isAction := strings.CutPrefix(change.Address, "action.")
		switch {
		case isOutput:
			if result.OutputChanges == nil {
				result.OutputChanges = map[string]*tfjson.Change{}
			}
			result.OutputChanges[output] = outputChange(change)
		case isAction:
			result.ActionInvocations = append(result.ActionInvocations, &tfjson.ActionInvocation{Address: "action." + action})
		default:
			addResource(result, change)
		}
	}
	return result
}

func addResource(plan *tfjson.Plan, change infrav1.PlannedChange) {
	resource := resourceChange(change)
	if slices.Contains(change.Actions, "defer") {
		plan.DeferredChanges = append(plan.DeferredChanges, &tfjson.DeferredResourceChange{Reason: change.Reason, ResourceChange: resource})
		return
	}
	plan.ResourceChanges = append(plan.ResourceChanges, resource)
	values, exists := resource.Change.After.(map[string]any)
	if !exists {
		return
	}
	module := moduleAt(plan.PlannedValues.RootModule, resource.ModuleAddress)
	module.Resources = append(module.Resources, &tfjson.StateResource{Address: resource.Address, Mode: resource.Mode, Type: resource.Type,
		Name: resource.Name, Index: resource.Index, ProviderName: resource.ProviderName, AttributeValues: values})
}

// moduleAt returns the module with an address. All modules are children of the root module, because workspaces have no nested modules.
func moduleAt(root *tfjson.StateModule, address string) *tfjson.StateModule {
	if address == "" {
		return root
	}
	for _, child := range root.ChildModules {
		if child.Address == address {
			return child
		}
	}
	child := &tfjson.StateModule{Address: address}
	root.ChildModules = append(root.ChildModules, child)
	return child
}

func resourceChange(change infrav1.PlannedChange) *tfjson.ResourceChange {
	address := parseAddress(change.Address)
	result := &tfjson.ResourceChange{
		Address:         change.Address,
		PreviousAddress: change.PreviousAddress,
		ModuleAddress:   address.module,
		Mode:            tfjson.ManagedResourceMode,
		Type:            address.kind,
		Name:            address.name,
		Index:           address.index,
		ActionReason:    tfjson.ActionReason(change.Reason),
		Change:          valueChange(change),
	}
	if address.data {
		result.Mode = tfjson.DataResourceMode
	}
	if provider, _, found := strings.Cut(address.kind, "_"); found && provider == "nutanix" {
		result.ProviderName = "registry.terraform.io/nutanix/nutanix"
	}
	if change.ImportID != "" {
		result.Change.Importing = &tfjson.Importing{ID: change.ImportID}
	}
	for _, path := range change.ReplacePaths {
		result.Change.ReplacePaths = append(result.Change.ReplacePaths, steps(path))
	}
	return result
}

func valueChange(change infrav1.PlannedChange) *tfjson.Change {
	result := &tfjson.Change{Actions: terraformActions(change.Actions)}
	if !result.Actions.Create() {
		result.Before = nested(change.Attributes, before, asJSON)
		result.BeforeSensitive = marked(change.Attributes, func(a infrav1.PlannedAttribute) bool { return sensitive(a.Before) })
	}
	if !result.Actions.Delete() && !result.Actions.Forget() {
		result.After = nested(change.Attributes, after, asJSON)
		result.AfterSensitive = marked(change.Attributes, func(a infrav1.PlannedAttribute) bool { return sensitive(a.After) })
		result.AfterUnknown = marked(change.Attributes, func(a infrav1.PlannedAttribute) bool { return a.Unknown })
	}
	return result
}

// outputChange returns the change of an output. The record has one attribute, whose path is empty or "value".
func outputChange(change infrav1.PlannedChange) *tfjson.Change {
	result := &tfjson.Change{Actions: terraformActions(change.Actions)}
	for _, attribute := range change.Attributes {
		if text, ok := before.text(attribute); ok {
			result.Before = asJSON(text)
		}
		if text, ok := after.text(attribute); ok {
			result.After = asJSON(text)
		}
		result.AfterUnknown = attribute.Unknown
	}
	return result
}

// terraformActions returns the actions of Terraform for recorded actions. Imports, moves and removed taints change no resource.
func terraformActions(actions []string) tfjson.Actions {
	for _, action := range actions {
		switch action {
		case "create", "update", "delete", "forget":
			return tfjson.Actions{tfjson.Action(action)}
		case "replace":
			return tfjson.Actions{tfjson.ActionDelete, tfjson.ActionCreate}
		}
	}
	return tfjson.Actions{tfjson.ActionNoop}
}

func sensitive(value *string) bool { return value != nil && strings.HasPrefix(*value, sensitivePrefix) }

// marked returns nested objects that are true at the paths of the attributes that matches selects.
func marked(attributes []infrav1.PlannedAttribute, matches func(infrav1.PlannedAttribute) bool) map[string]any {
	root := map[string]any{}
	for _, attribute := range attributes {
		if segments := parsePath(attribute.Path); matches(attribute) && len(segments) > 0 && segments[0].name != "" {
			insert(root, segments, true)
		}
	}
	return root
}

// steps returns an attribute path as Terraform writes it in replace_paths.
func steps(path string) []any {
	var steps []any
	for _, segment := range parsePath(path) {
		if segment.name != "" {
			steps = append(steps, segment.name)
		} else {
			steps = append(steps, segment.index)
		}
	}
	return steps
}
