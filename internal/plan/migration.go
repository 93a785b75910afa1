package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/capnt/capnt/internal/provider"
)

// Migration describes the only plan that may move existing infrastructure from the workspace with one Prism API to the workspace with the
// other API. The plan imports the infrastructure as other resources and forgets its former resources, and changes nothing else.
type Migration struct {
	// Forget lists the addresses of the former resources. All of them are in the state.
	Forget []string
	// Import maps the addresses of the new resources to the IDs of the infrastructure.
	Import map[string]string
	// ID is the ID that the infrastructure has as a former and as a new resource, for example the UUID of a VM. It is empty if the two APIs
	// identify the infrastructure differently.
	ID string
	// Upsert lists the addresses of new resources that the provider cannot import. Creating such a resource must write only what exists.
	Upsert []string
}

// MigrationError means that a plan must not be used to migrate infrastructure.
type MigrationError struct {
	// Reason is a reason for a condition, or empty if the plan would do something else than to migrate the infrastructure.
	Reason  string
	Message string
}

func (e *MigrationError) Error() string { return "migrating to the other Prism API: " + e.Message }

func refused(format string, values ...any) error {
	return &MigrationError{Message: fmt.Sprintf(format, values...)}
}

// Check returns a *MigrationError if planned does anything else than the migration requires. A resource that is in the state already,
// because an earlier migration was interrupted, need not be imported.
func (m Migration) Check(planned *tfjson.Plan, generation *provider.Generation) error {
	if len(planned.DeferredChanges) > 0 || len(planned.ActionInvocations) > 0 {
		return refused("the plan defers changes or runs actions of the provider")
	}
	unseen := map[string]string{}
	for _, address := range m.Forget {
		unseen[address] = "forget"
	}
	for address := range m.Import {
		unseen[address] = "import"
	}
	for _, resource := range planned.ResourceChanges {
		if err := m.check(resource, generation); err != nil {
			return err
		}
		delete(unseen, resource.Address)
	}
	for _, address := range slices.Sorted(maps.Keys(unseen)) {
		return refused("the plan does not %s %s", unseen[address], address)
	}
	return checkOutputs(planned.OutputChanges, generation)
}

// check checks the change of one resource.
func (m Migration) check(resource *tfjson.ResourceChange, generation *provider.Generation) error {
	change := resource.Change
	moved := resource.PreviousAddress != "" && resource.PreviousAddress != resource.Address
	if change == nil || moved || resource.DeposedKey != "" {
		return refused("the plan moves %s, or does not say what it does with it", resource.Address)
	}
	id, imported := m.Import[resource.Address]
	switch {
	case slices.Contains(m.Forget, resource.Address):
		return m.checkForgotten(resource)
	case imported:
		return m.checkImported(resource, id, generation)
	case change.Importing != nil:
		return refused("the plan also imports %s", resource.Address)
	case change.Actions.NoOp(), change.Actions.Read():
		return nil
	case change.Actions.Create() && slices.Contains(m.Upsert, resource.Address):
		return nil
	}
	return refused("the plan also changes %s", resourceChange(resource, generation).String())
}

func (m Migration) checkForgotten(resource *tfjson.ResourceChange) error {
	id, _ := object(resource.Change.Before)["id"].(string)
	switch {
	case !resource.Change.Actions.Forget():
		return refused("the plan does not forget %s (%v)", resource.Address, resource.Change.Actions)
	case m.ID != "" && id != m.ID:
		return refused("the plan forgets %s with ID %s, but the infrastructure has ID %s", resource.Address, id, m.ID)
	}
	return nil
}

func (m Migration) checkImported(resource *tfjson.ResourceChange, id string, generation *provider.Generation) error {
	present, _ := object(resource.Change.Before)["id"].(string)
	if importing := resource.Change.Importing; importing != nil {
		present = importing.ID
	}
	switch {
	case present != id, m.ID != "" && present != m.ID:
		return refused("the plan takes %s for %s, but the infrastructure has ID %s", cmp.Or(present, "nothing"), resource.Address, cmp.Or(m.ID, id))
	case !resource.Change.Actions.NoOp():
		change := resourceChange(resource, generation)
		return refused("%s differs from the spec, so the plan would do more than import it: %s", resource.Address, change.String())
	}
	return nil
}

// checkOutputs checks that no output changes that identifies the infrastructure.
func checkOutputs(changes map[string]*tfjson.Change, generation *provider.Generation) error {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if changes[name].Actions.Update() && !generation.Observed(provider.Output, name) {
			return refused("the plan changes output %s", name)
		}
	}
	return nil
}

// Migrates reports whether the plan moves infrastructure to the workspace with another Prism API.
func (r Record) Migrates() bool { return r.Cause == CauseMigrate }
