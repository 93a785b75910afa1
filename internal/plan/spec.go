package plan

import (
	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/provider"
)

// Spec returns the record as the spec of a NutanixPlan. The caller adds the name of the Secret with the plan file and the signature.
func (r Record) Spec() infrav1.NutanixPlanSpec {
	spec := infrav1.NutanixPlanSpec{
		Target: r.Target, Origin: r.Source,
		Cause: infrav1.PlanCause(r.Cause), Destroy: r.Destroy, Disruption: infrav1.PlanDisruption(r.Disruption.String()),
		Summary: r.Symbols(), ChangeDigest: r.ChangeDigest, ClassDigest: r.ClassDigest,
		WorkspaceDigest: r.WorkspaceDigest, ObservedDigest: r.Observed, InfrastructureDigest: r.Infrastructure, Variables: r.Variables,
		State:  infrav1.PlanState{Lineage: r.Lineage, Serial: r.Serial},
		Counts: infrav1.PlanCounts(r.Counts), Omitted: r.Omitted,
	}
	if r.SHA256 != "" {
		spec.File = &infrav1.PlanFile{SHA256: r.SHA256, Terraform: r.TerraformVersion, Provider: r.ProviderVersion}
	}
	if r.Hold != nil {
		spec.Hold = &infrav1.PlanHold{Reason: r.Hold.Reason, Message: r.Hold.Message}
	}
	for _, change := range r.Changes {
		spec.Changes = append(spec.Changes, change.spec())
	}
	return spec
}

func (c Change) spec() infrav1.PlannedChange {
	change := infrav1.PlannedChange{
		Address: c.Address, Disruption: infrav1.PlanDisruption(c.Disruption.String()), Reason: c.Reason, ImportID: c.ImportID,
		PreviousAddress: c.PreviousAddress, ReplacePaths: c.ReplacePaths,
	}
	for _, action := range c.Actions {
		change.Actions = append(change.Actions, string(action))
	}
	for _, attribute := range c.Attributes {
		planned := infrav1.PlannedAttribute{Path: attribute.Path, Before: attribute.Before, After: attribute.After, Unknown: attribute.Unknown}
		if c.Has(ActionUpdate) || c.Has(ActionReplace) {
			planned.Disruption = infrav1.PlanDisruption(attribute.Disruption.String())
		}
		change.Attributes = append(change.Attributes, planned)
	}
	return change
}

// FromSpec returns the record that a NutanixPlan contains. The time of the record is missing: it is the creation time of the NutanixPlan.
func FromSpec(spec infrav1.NutanixPlanSpec) Record {
	record := Record{
		Target: spec.Target, Source: spec.Origin,
		Cause: Cause(spec.Cause), Destroy: spec.Destroy, Disruption: classOf(spec.Disruption),
		Basis: Basis{
			WorkspaceDigest: spec.WorkspaceDigest, Observed: spec.ObservedDigest, Infrastructure: spec.InfrastructureDigest, Variables: spec.Variables,
			Lineage: spec.State.Lineage, Serial: spec.State.Serial,
		},
		ChangeDigest: spec.ChangeDigest, ClassDigest: spec.ClassDigest,
		Counts: Counts(spec.Counts), Omitted: spec.Omitted,
	}
	if file := spec.File; file != nil {
		record.SHA256, record.TerraformVersion, record.ProviderVersion = file.SHA256, file.Terraform, file.Provider
	}
	if spec.Hold != nil {
		record.Hold = &Hold{Reason: spec.Hold.Reason, Message: spec.Hold.Message}
	}
	for _, change := range spec.Changes {
		record.Changes = append(record.Changes, changeFromSpec(change))
	}
	return record
}

func changeFromSpec(planned infrav1.PlannedChange) Change {
	change := Change{
		Address: planned.Address, Disruption: classOf(planned.Disruption), Reason: planned.Reason, ImportID: planned.ImportID,
		PreviousAddress: planned.PreviousAddress, ReplacePaths: planned.ReplacePaths,
	}
	for _, action := range planned.Actions {
		change.Actions = append(change.Actions, Action(action))
	}
	for _, attribute := range planned.Attributes {
		class := provider.None
		if attribute.Disruption != "" {
			class = classOf(attribute.Disruption)
		}
		change.Attributes = append(change.Attributes, Attribute{
			Path: attribute.Path, Before: attribute.Before, After: attribute.After, Unknown: attribute.Unknown, Disruption: class,
		})
	}
	return change
}

// classOf returns the class with the given name. An unknown name is the worst class.
func classOf(name infrav1.PlanDisruption) provider.Class {
	for class := provider.None; class < provider.Destroy; class++ {
		if class.String() == string(name) {
			return class
		}
	}
	return provider.Destroy
}
