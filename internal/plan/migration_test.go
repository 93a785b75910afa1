package plan

import (
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
)

const (
	formerAddress = "module.machine.nutanix_virtual_machine.this"
	newAddress    = "module.machine.nutanix_virtual_machine_v2.this"
)

func resourcePlan(address, kind string, action tfjson.Action, values map[string]any) *tfjson.ResourceChange {
	return &tfjson.ResourceChange{Address: address, Type: kind, Change: &tfjson.Change{Actions: tfjson.Actions{action}, Before: values, After: values}}
}

// migrationOf returns a migration of a VM, and the plan that it allows.
func migrationOf() (Migration, *tfjson.Plan) {
	imported := resourcePlan(newAddress, "nutanix_virtual_machine_v2", tfjson.ActionNoop, map[string]any{"id": "vm-1"})
	imported.Change.Importing = &tfjson.Importing{ID: "vm-1"}
	forgotten := resourcePlan(formerAddress, "nutanix_virtual_machine", tfjson.ActionForget, map[string]any{"id": "vm-1"})
	forgotten.Change.After = nil
	return Migration{Forget: []string{formerAddress}, Import: map[string]string{newAddress: "vm-1"}, ID: "vm-1"},
		&tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{imported, forgotten}, OutputChanges: map[string]*tfjson.Change{
			"addresses": {Actions: tfjson.Actions{tfjson.ActionUpdate}}, "vm_uuid": {Actions: tfjson.Actions{tfjson.ActionNoop}}}}
}

func TestMigrationIsAllowed(t *testing.T) {
	for name, change := range map[string]func(m *Migration, p *tfjson.Plan){
		"import and forget": func(*Migration, *tfjson.Plan) {},
		"the resource is in the state already": func(_ *Migration, p *tfjson.Plan) {
			p.ResourceChanges[0].Change.Importing = nil
		},
		"a resource that cannot be imported": func(m *Migration, p *tfjson.Plan) {
			m.Upsert = []string{"module.cluster.nutanix_category_value.this"}
			p.ResourceChanges = append(p.ResourceChanges, resourcePlan(m.Upsert[0], "nutanix_category_value", tfjson.ActionCreate, nil))
		},
		"other IDs": func(m *Migration, p *tfjson.Plan) {
			m.ID = ""
			p.ResourceChanges[1].Change.Before = map[string]any{"id": "the key"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			migration, plan := migrationOf()
			change(&migration, plan)
			generation, err := provider.ForVersion("2.4.2")
			require.NoError(t, err)
			assert.NoError(t, migration.Check(plan, generation))
		})
	}
}

func TestMigrationIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(p *tfjson.Plan)
		want   string
	}{
		"no import": {func(p *tfjson.Plan) { p.ResourceChanges = p.ResourceChanges[1:] }, "does not import " + newAddress},
		"no forget": {func(p *tfjson.Plan) { p.ResourceChanges = p.ResourceChanges[:1] }, "does not forget " + formerAddress},
		"create": {func(p *tfjson.Plan) {
			p.ResourceChanges[0] = resourcePlan(newAddress, "nutanix_virtual_machine_v2", tfjson.ActionCreate, nil)
		}, "takes nothing for " + newAddress},
		"destroy":              {func(p *tfjson.Plan) { p.ResourceChanges[1].Change.Actions = tfjson.Actions{tfjson.ActionDelete} }, "does not forget " + formerAddress},
		"import of another VM": {func(p *tfjson.Plan) { p.ResourceChanges[0].Change.Importing.ID = "vm-2" }, "takes vm-2 for " + newAddress},
		"another VM in the state": {func(p *tfjson.Plan) {
			p.ResourceChanges[0].Change.Importing, p.ResourceChanges[0].Change.Before = nil, map[string]any{"id": "vm-2"}
		}, "takes vm-2 for " + newAddress},
		"forgets another VM": {func(p *tfjson.Plan) { p.ResourceChanges[1].Change.Before = map[string]any{"id": "vm-2"} }, "with ID vm-2"},
		"import with an update": {func(p *tfjson.Plan) {
			change := p.ResourceChanges[0].Change
			change.Actions, change.After = tfjson.Actions{tfjson.ActionUpdate}, map[string]any{"id": "vm-1", "memory_size_bytes": 1}
		}, "import+update: memory_size_bytes"},
		"import with a replacement": {func(p *tfjson.Plan) {
			p.ResourceChanges[0].Change.Actions = tfjson.Actions{tfjson.ActionDelete, tfjson.ActionCreate}
		}, "differs from the spec"},
		"another change": {func(p *tfjson.Plan) {
			p.ResourceChanges = append(p.ResourceChanges, resourcePlan("a.b", "nutanix_image", tfjson.ActionCreate, nil))
		}, "also changes a.b create"},
		"another import": {func(p *tfjson.Plan) {
			other := resourcePlan("a.b", "nutanix_image", tfjson.ActionNoop, nil)
			other.Change.Importing = &tfjson.Importing{ID: "1"}
			p.ResourceChanges = append(p.ResourceChanges, other)
		}, "also imports a.b"},
		"a move":               {func(p *tfjson.Plan) { p.ResourceChanges[0].PreviousAddress = formerAddress }, "moves " + newAddress},
		"a deposed object":     {func(p *tfjson.Plan) { p.ResourceChanges[1].DeposedKey = "1" }, "moves " + formerAddress},
		"a deferred change":    {func(p *tfjson.Plan) { p.DeferredChanges = []*tfjson.DeferredResourceChange{{}} }, "defers changes"},
		"an action":            {func(p *tfjson.Plan) { p.ActionInvocations = []*tfjson.ActionInvocation{{}} }, "runs actions"},
		"another VM in output": {func(p *tfjson.Plan) { p.OutputChanges["vm_uuid"].Actions = tfjson.Actions{tfjson.ActionUpdate} }, "output vm_uuid"},
	} {
		t.Run(name, func(t *testing.T) {
			migration, plan := migrationOf()
			test.change(plan)
			generation, err := provider.ForVersion("2.4.2")
			require.NoError(t, err)
			err = migration.Check(plan, generation)
			var refused *MigrationError
			require.ErrorAs(t, err, &refused)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// Migrations have a cause of their own, although they import.
func TestRecordOfMigration(t *testing.T) {
	_, plan := migrationOf()
	generation, err := provider.ForVersion("2.4.2")
	require.NoError(t, err)
	record := Build(Origin{Generation: generation, Cause: CauseMigrate}, []byte("file"), plan)
	assert.True(t, record.Migrates())
	assert.Equal(t, provider.None, record.Disruption)
	assert.Equal(t, Counts{Import: 1, Forget: 1, Other: 1}, record.Counts)
	assert.Equal(t, "vm-1", record.ImportID(newAddress))
}
