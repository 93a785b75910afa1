package plan

import (
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/provider"
)

// outputChange returns the change of one output of the root module. The record does not list an output that is created or deleted together
// with the resource whose attribute it repeats.
func outputChange(name string, change *tfjson.Change, generation *provider.Generation) detailed {
	output := resourceChange(&tfjson.ResourceChange{Address: outputPrefix + name, Type: provider.Output, Change: change}, generation)
	if len(output.Actions) == 0 {
		return output
	}
	output.Disruption, output.Attributes, output.values = provider.None, nil, nil
	output.unlisted = !output.Has(ActionUpdate) && generation.Derived(provider.Output, name)
	if output.Has(ActionDelete) {
		return output // the value of a deleted output only repeats what the resources contain
	}
	found := valuePair{Path: name, Before: change.Before, After: change.After, Unknown: containsTrue(change.AfterUnknown)}
	if found.Unknown {
		found.After = withUnknown(change.After, change.AfterUnknown)
	}
	if change.AfterUnknown == true {
		found.After = nil
	}
	output.values = []valuePair{found}
	if !output.Has(ActionCreate) || !found.whollyUnknown() {
		output.Attributes = []Attribute{{Path: "value", Before: rendered(found.Before), After: rendered(found.After), Unknown: found.Unknown}}
	}
	return output
}

// deferredChange returns a change that Terraform leaves for a later plan. It disrupts nothing, because it is not applied.
func deferredChange(deferred *tfjson.DeferredResourceChange, generation *provider.Generation) detailed {
	change := resourceChange(deferred.ResourceChange, generation)
	change.more = append(change.more, change.Actions)
	change.Actions, change.Reason, change.Disruption = []Action{ActionDefer}, deferred.Reason, provider.None
	return change
}

// invocationOf returns an action of the provider that Terraform runs.
func invocationOf(invocation *tfjson.ActionInvocation, generation *provider.Generation) detailed {
	address := invocation.Address
	if !strings.HasPrefix(address, actionPrefix) {
		address = actionPrefix + address
	}
	change := detailed{
		Change: Change{Address: address, Actions: []Action{ActionInvoke}}, kind: invocation.Type, generation: generation,
		more:   []any{invocation.LifecycleActionTrigger},
		values: allValues(nil, invocation.ConfigValues, invocation.ConfigUnknown),
	}
	if trigger := invocation.LifecycleActionTrigger; trigger != nil {
		change.Reason = strings.TrimSpace(trigger.ActionTriggerEvent + " " + trigger.TriggeringResourceAddress)
	}
	for _, value := range change.values {
		change.Attributes = append(change.Attributes, change.attribute(value))
	}
	change.Disruption = disruptionOf(change.Change)
	return change
}
