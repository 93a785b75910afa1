package plan

import (
	"cmp"
	"maps"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/provider"
)

// Build returns the record of a saved plan. file is the content of the plan file, and planned is its JSON form without sensitive values.
func Build(origin Origin, file []byte, planned *tfjson.Plan) Record {
	record := newRecord(origin)
	record.SHA256 = digest(file)
	record.TerraformVersion, record.ProviderVersion = origin.TerraformVersion, origin.ProviderVersion
	changes := changesOf(planned, cmp.Or(origin.Generation, &provider.Generation{}))
	for _, change := range changes {
		if origin.SwitchedOff {
			change.ignorePowerCycles()
		}
		record.count(change.Change)
		if !change.unlisted {
			record.Changes = append(record.Changes, change.Change)
		}
		if change.Has(ActionUpdate) && !change.Output() {
			record.Hold = origin.Hold
		}
	}
	if record.Counts.Import > 0 && origin.Cause != CauseMigrate {
		record.Cause = CauseImport
	}
	record.setDigests(changes)
	record.truncate()
	return record
}

// StateEdit returns the record of an edit of the Terraform state that the manager makes without a plan file. Each of changes forgets,
// untaints or imports a resource.
func StateEdit(origin Origin, cause Cause, changes ...Change) Record {
	origin.Cause = cause
	record := newRecord(origin)
	details := make([]detailed, 0, len(changes))
	for _, change := range changes {
		record.count(change)
		record.Changes = append(record.Changes, change)
		details = append(details, detailsOf(change))
	}
	record.setDigests(details)
	record.truncate()
	return record
}

func newRecord(origin Origin) Record {
	return Record{
		Target: origin.Target, Source: origin.Source,
		Cause: origin.Cause, Destroy: origin.Destroy,
		Basis: origin.Basis, Time: origin.Time,
	}
}

func (r *Record) count(change Change) {
	r.Counts.add(change)
	r.Disruption = max(r.Disruption, change.Disruption)
}

// detailed is a change with everything that its digests depend on.
type detailed struct {
	Change
	// kind is the resource type, or provider.Output.
	kind string
	// actions are Terraform's own actions, which tell whether a replacement creates or deletes first.
	actions []string
	// identity identifies the object of the change in addition to the address.
	identity []any
	// more distinguishes changes that are equal in all other fields.
	more []any
	// values are the values that the change sets, changes or removes.
	values []valuePair
	// unlisted means that the record only counts the change, because it follows from another one.
	unlisted bool
	// generation knows the roles of the attributes. It is nil for an edit of the state.
	generation *provider.Generation
}

// changesOf returns all changes of a plan.
func changesOf(planned *tfjson.Plan, generation *provider.Generation) []detailed {
	var changes []detailed
	for _, resource := range planned.ResourceChanges {
		changes = append(changes, resourceChange(resource, generation))
	}
	for _, name := range slices.Sorted(maps.Keys(planned.OutputChanges)) {
		changes = append(changes, outputChange(name, planned.OutputChanges[name], generation))
	}
	for _, deferred := range planned.DeferredChanges {
		if deferred.ResourceChange != nil {
			changes = append(changes, deferredChange(deferred, generation))
		}
	}
	for _, invocation := range planned.ActionInvocations {
		changes = append(changes, invocationOf(invocation, generation))
	}
	return slices.DeleteFunc(changes, func(change detailed) bool { return len(change.Actions) == 0 })
}

// detailsOf returns an edit of the state with its values.
func detailsOf(change Change) detailed {
	details := detailed{Change: change}
	for _, attribute := range change.Attributes {
		found := valuePair{Path: attribute.Path, Unknown: attribute.Unknown}
		if attribute.Before != nil {
			found.Before = *attribute.Before
		}
		if attribute.After != nil {
			found.After = *attribute.After
		}
		details.values = append(details.values, found)
	}
	return details
}
