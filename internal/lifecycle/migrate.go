package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-version"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// minimumOpenTofu is the first version of OpenTofu that supports removed blocks with destroy = false. Every supported Terraform does.
var minimumOpenTofu = version.Must(version.NewVersion("1.10.0"))

// formerIn returns the former resources of the target that are in the state.
func (t Target) formerIn(state *terraform.State) []terraform.Resource {
	var former []terraform.Resource
	for _, address := range t.Former {
		if known := find(state, address); known.Address != "" {
			former = append(former, known)
		}
	}
	return former
}

// as returns the target with the resource that the state contains. An apply that the manager did not survive may have moved the
// infrastructure between Resource and Former, and an object that is being deleted is not migrated.
func (t Target) as(state *terraform.State) Target {
	if former := t.formerIn(state); t.Resource != "" && len(former) > 0 && find(state, t.Resource).Address == "" {
		t.Resource, t.Former = former[0].Address, nil
	}
	return t
}

// withPresentResource returns the target of an object that is being deleted with the resource that the state contains, and the state. If
// the state contains the infrastructure twice, because a migration was interrupted, the former resources are removed from the state.
func (p *Pipeline) withPresentResource(ctx context.Context, target Target, workspace Workspace) (Target, *terraform.State, error) {
	state, err := workspace.State(ctx)
	if err != nil {
		return target, nil, err
	}
	target = target.as(state)
	former := target.formerIn(state)
	for _, resource := range former {
		if find(state, target.Resource).ID != resource.ID {
			continue
		}
		if err := p.forget(ctx, target, workspace, resource, target.Resource+" is the same infrastructure"); err != nil {
			return target, nil, err
		}
	}
	if len(former) == 0 {
		return target, state, nil
	}
	state, err = workspace.State(ctx)
	return target, state, err
}

// planMigration makes a plan that moves the infrastructure from the former resources to the resources of the target's workspace. It records
// the plan only if the plan changes nothing.
func (p *Pipeline) planMigration(
	ctx context.Context, target Target, workspace Workspace, generation *provider.Generation, state *terraform.State, former []terraform.Resource,
) outcome {
	if target.Hooks.Migrate == nil {
		return failed{err: &WaitError{Reason: infrav1.PrismAPIMismatchReason, Message: fmt.Sprintf(
			"the Terraform state contains %s of the other Prism API, and nobody has asked to migrate it: set spec.terraform.api of the NutanixCluster",
			former[0].Address)}}
	}
	migration, err := p.prepareMigration(ctx, target, former)
	if err != nil {
		return failed{err: err}
	}
	seen, err := p.observeInfrastructure(ctx, target, migration.ID)
	if err != nil {
		return failed{err: err}
	}
	for _, hold := range []*plan.Hold{seen.NoPlan, seen.Interrupted} {
		if hold != nil {
			return failed{err: &plan.MigrationError{Reason: hold.Reason, Message: hold.Message}}
		}
	}
	if seen.SwitchOn {
		return failed{err: &plan.MigrationError{Reason: infrav1.VMPoweredOffReason, Message: "the virtual machine is off until the next plan switches it on"}}
	}
	if err := writeFiles(workspace, withMigrationFile(seen.Files, migration)); err != nil {
		return failed{err: err}
	}
	made, err := workspace.Plan(ctx, terraform.PlanOptions{})
	if err != nil {
		return p.breakDeadLock(ctx, target, workspace, err)
	}
	if err := migration.Check(made.JSON, generation); err != nil {
		return failed{err: err}
	}
	origin, err := p.origin(ctx, target, generation, state)
	if err != nil {
		return failed{err: err}
	}
	origin.Cause, origin.Observed = plan.CauseMigrate, seen.observedDigest()
	return p.recordPlan(ctx, target, plan.Build(origin, made.Bytes, made.JSON), made.Bytes)
}

// prepareMigration returns the migration of the former resources that the state contains.
func (p *Pipeline) prepareMigration(ctx context.Context, target Target, former []terraform.Resource) (plan.Migration, error) {
	if err := p.supportsMigration(); err != nil {
		return plan.Migration{}, err
	}
	for _, resource := range former {
		if resource.Tainted {
			return plan.Migration{}, &plan.MigrationError{Message: resource.Address + " is tainted"}
		}
	}
	return target.Hooks.Migrate(ctx, former)
}

// supportsMigration returns an error if the Terraform binary does not support removed blocks.
func (p *Pipeline) supportsMigration() error {
	if !p.OpenTofu {
		return nil
	}
	present, err := version.NewVersion(p.TerraformVersion)
	if err == nil && present.Core().GreaterThanOrEqual(minimumOpenTofu) {
		return nil
	}
	return &plan.MigrationError{Reason: infrav1.TerraformTooOldReason, Message: fmt.Sprintf(
		"OpenTofu %s has no removed blocks with destroy = false: start the manager with --terraform-path of OpenTofu %s or later, or of Terraform",
		p.TerraformVersion, minimumOpenTofu)}
}

// withMigrationFile returns the files and the file that describes a migration.
func withMigrationFile(files map[string][]byte, migration plan.Migration) map[string][]byte {
	var imports []renderer.Import
	for _, address := range slices.Sorted(maps.Keys(migration.Import)) {
		imports = append(imports, renderer.Import{Address: address, ID: migration.Import[address]})
	}
	complete := map[string][]byte{renderer.MigrationFile: renderer.Migration(imports, migration.Forget...)}
	maps.Copy(complete, files)
	return complete
}

// withMigration returns the files of a workspace that is exported. If the state contains the former resources, because the object was
// deleted during its migration, the files describe the migration, so that the person who gets the workspace can end it.
func (p *Pipeline) withMigration(ctx context.Context, target Target, state *terraform.State, files map[string][]byte) (map[string][]byte, error) {
	former := target.formerIn(state)
	if len(former) == 0 || target.Hooks.Migrate == nil {
		return files, nil
	}
	migration, err := target.Hooks.Migrate(ctx, former)
	if err != nil {
		return nil, err
	}
	return withMigrationFile(files, migration), nil
}

// MigrateTo returns Hooks.Migrate for infrastructure that has the same ID with both Prism APIs. The infrastructure moves to the resource at
// address. It must be the infrastructure that Hooks.Identify finds.
func (h Hooks) MigrateTo(address string) func(ctx context.Context, former []terraform.Resource) (plan.Migration, error) {
	return func(ctx context.Context, former []terraform.Resource) (plan.Migration, error) {
		known := former[0]
		id, err := h.Identify(ctx, known.ID)
		var foreign *ForeignError
		switch {
		case errors.As(err, &foreign):
			return plan.Migration{}, &plan.MigrationError{Reason: infrav1.VMBelongsToOtherReason, Message: err.Error()}
		case err != nil:
			return plan.Migration{}, fmt.Errorf("identifying infrastructure: %w", err)
		case id != "":
			return plan.Migration{}, &plan.MigrationError{Message: fmt.Sprintf("the state contains %s, but the object has %s", known.ID, id)}
		}
		return plan.Migration{Forget: []string{known.Address}, Import: map[string]string{address: known.ID}, ID: known.ID}, nil
	}
}

// applyMode returns the mode of the session in which a plan without disruption is applied. The apply of a migration sends nothing but
// reads, unless it writes what it cannot import.
func applyMode(record plan.Record) gateway.Mode {
	if record.Migrates() && record.Counts.Create == 0 {
		return gateway.ReadOnly
	}
	return gateway.KeepPower
}
