package plan

import (
	"strings"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/provider"
)

const (
	vm    = "module.machine.nutanix_virtual_machine.this"
	key   = "module.cluster.nutanix_category_key.this"
	value = "module.cluster.nutanix_category_value.this"

	importID = "11111111-1111-4111-8111-111111111111"
)

// resource returns a change of the resource at address. The address contains the type of the resource. An update changes the attribute
// description.
func resource(address string, actions ...tfjson.Action) *tfjson.ResourceChange {
	change := &tfjson.ResourceChange{Address: address, Type: strings.Split(address, ".")[2], Change: &tfjson.Change{Actions: actions}}
	if change.Change.Actions.Update() {
		change.Change.Before, change.Change.After = map[string]any{"description": "old"}, map[string]any{"description": "new"}
	}
	return change
}

func generation(t *testing.T) *provider.Generation {
	t.Helper()
	found, err := provider.ForVersion("1.9.5")
	require.NoError(t, err)
	return found
}

func imported(change *tfjson.ResourceChange) *tfjson.ResourceChange {
	change.Change.Importing = &tfjson.Importing{ID: importID}
	return change
}

func planned(changes ...*tfjson.ResourceChange) *tfjson.Plan {
	return &tfjson.Plan{ResourceChanges: changes}
}

func TestBuildCountsAndSummarises(t *testing.T) {
	description := []Attribute{{Path: "description", Before: ptr.To("old"), After: ptr.To("new")}}
	tainted := resource(vm, tfjson.ActionDelete, tfjson.ActionCreate)
	tainted.ActionReason = "replace_because_tainted"
	tests := map[string]struct {
		plan       *tfjson.Plan
		counts     Counts
		changes    []Change
		cause      Cause
		disruption provider.Class
		summary    string
	}{
		"create": {
			plan:    planned(resource(vm, tfjson.ActionCreate)),
			counts:  Counts{Create: 1},
			changes: []Change{{Address: vm, Actions: []Action{ActionCreate}}},
			summary: "Plan: 1 to create (" + vm + " create)",
		},
		"two to create, one read and one unchanged": {
			plan: planned(resource(key, tfjson.ActionCreate), resource(value, tfjson.ActionCreate),
				resource("data.nutanix_cluster.x.y", tfjson.ActionRead), resource(vm, tfjson.ActionNoop)),
			counts:  Counts{Create: 2},
			changes: []Change{{Address: key, Actions: []Action{ActionCreate}}, {Address: value, Actions: []Action{ActionCreate}}},
			summary: "Plan: 2 to create (" + key + " create, " + value + " create)",
		},
		"update": {
			plan:    planned(resource(vm, tfjson.ActionUpdate)),
			counts:  Counts{Update: 1},
			changes: []Change{{Address: vm, Actions: []Action{ActionUpdate}, Attributes: description}},
			summary: "Plan: 1 to update (" + vm + " update: description)",
		},
		"replace": {
			plan:       planned(tainted),
			counts:     Counts{Replace: 1},
			changes:    []Change{{Address: vm, Actions: []Action{ActionReplace}, Reason: "replace_because_tainted", Disruption: provider.Replace}},
			disruption: provider.Replace,
			summary:    "Plan: 1 to replace (" + vm + " replace)",
		},
		"replace, the new one first": {
			plan:       planned(resource(vm, tfjson.ActionCreate, tfjson.ActionDelete)),
			counts:     Counts{Replace: 1},
			changes:    []Change{{Address: vm, Actions: []Action{ActionReplace}, Disruption: provider.Replace}},
			disruption: provider.Replace,
			summary:    "Plan: 1 to replace (" + vm + " replace)",
		},
		"delete": {
			plan:       planned(resource(value, tfjson.ActionDelete)),
			counts:     Counts{Delete: 1},
			changes:    []Change{{Address: value, Actions: []Action{ActionDelete}, Disruption: provider.Destroy}},
			disruption: provider.Destroy,
			summary:    "Plan: 1 to delete (" + value + " delete)",
		},
		"import": {
			plan:    planned(imported(resource(vm, tfjson.ActionNoop))),
			counts:  Counts{Import: 1},
			changes: []Change{{Address: vm, Actions: []Action{ActionImport}, ImportID: importID}},
			cause:   CauseImport,
			summary: "Plan: 1 to import (" + vm + " import)",
		},
		"import and update": {
			plan:    planned(imported(resource(vm, tfjson.ActionUpdate))),
			counts:  Counts{Import: 1, Update: 1},
			changes: []Change{{Address: vm, Actions: []Action{ActionImport, ActionUpdate}, Attributes: description, ImportID: importID}},
			cause:   CauseImport,
			summary: "Plan: 1 to import, 1 to update (" + vm + " import+update: description)",
		},
		"import and replace": {
			plan:       planned(imported(resource(vm, tfjson.ActionDelete, tfjson.ActionCreate))),
			counts:     Counts{Import: 1, Replace: 1},
			changes:    []Change{{Address: vm, Actions: []Action{ActionImport, ActionReplace}, ImportID: importID, Disruption: provider.Replace}},
			cause:      CauseImport,
			disruption: provider.Replace,
			summary:    "Plan: 1 to import, 1 to replace (" + vm + " import+replace)",
		},
		"forget": {
			plan:    planned(resource(key, tfjson.ActionForget), resource(value, tfjson.ActionCreate)),
			counts:  Counts{Create: 1, Forget: 1},
			changes: []Change{{Address: key, Actions: []Action{ActionForget}}, {Address: value, Actions: []Action{ActionCreate}}},
			summary: "Plan: 1 to create, 1 to forget (" + key + " forget, " + value + " create)",
		},
		"unknown actions count as the worst": {
			plan:       planned(resource(vm, tfjson.ActionCreate, "surprise")),
			counts:     Counts{Replace: 1},
			changes:    []Change{{Address: vm, Actions: []Action{ActionReplace}, Disruption: provider.Replace}},
			disruption: provider.Replace,
			summary:    "Plan: 1 to replace (" + vm + " replace)",
		},
		"outputs only": {
			plan: &tfjson.Plan{
				ResourceChanges: []*tfjson.ResourceChange{resource(vm, tfjson.ActionNoop), {Address: "no change at all"}},
				OutputChanges:   map[string]*tfjson.Change{"addresses": {Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: []any{"a"}, After: []any{"b"}}},
			},
			counts: Counts{Other: 1},
			changes: []Change{{Address: "output.addresses", Actions: []Action{ActionUpdate},
				Attributes: []Attribute{{Path: "value", Before: ptr.To(`["a"]`), After: ptr.To(`["b"]`)}}}},
			summary: "Plan: no resources to change, outputs only",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.cause == "" {
				test.cause = CauseUpdate
			}
			record := Build(Origin{Cause: CauseUpdate, Generation: generation(t)}, []byte("file"), test.plan)
			assert.Equal(t, test.counts, record.Counts)
			assert.Equal(t, test.changes, record.Changes)
			assert.Equal(t, test.cause, record.Cause)
			assert.Equal(t, test.disruption, record.Disruption)
			assert.Equal(t, test.summary, record.Summary())
		})
	}
}

func TestBuildKeepsTheOrigin(t *testing.T) {
	made := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	origin := Origin{
		Target: infrav1.PlanTarget{Key: "key", Kind: "NutanixMachine", Namespace: "prod", Name: "vm", Generation: 3},
		Source: infrav1.PlanOrigin{Author: "user", Owner: "MachineDeployment/md-0", Cluster: "c"},
		Cause:  CauseDelete, Destroy: true,
		Basis:            Basis{WorkspaceDigest: "digest", Observed: "observed", Lineage: "lineage", Serial: 7, Variables: "fingerprint"},
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5", Time: made,
	}
	record := Build(origin, []byte("file"), planned(resource(vm, tfjson.ActionDelete)))
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", record.ChangeDigest)
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", record.ClassDigest)
	assert.Equal(t, Record{
		Target: origin.Target, Source: origin.Source,
		Cause: CauseDelete, Destroy: true, Disruption: provider.Destroy,
		Basis:            origin.Basis,
		SHA256:           "3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80",
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5", Time: made,
		ChangeDigest: record.ChangeDigest, ClassDigest: record.ClassDigest,
		Counts:  Counts{Delete: 1},
		Changes: []Change{{Address: vm, Actions: []Action{ActionDelete}, Disruption: provider.Destroy}},
	}, record)
}

func TestHoldAppliesOnlyToUpdates(t *testing.T) {
	hold := &Hold{Reason: "CategoryValuesAmbiguous", Message: "two values"}
	for name, test := range map[string]struct {
		change *tfjson.ResourceChange
		want   *Hold
	}{
		"update":            {resource(vm, tfjson.ActionUpdate), hold},
		"import and update": {imported(resource(vm, tfjson.ActionUpdate)), hold},
		"import":            {imported(resource(vm, tfjson.ActionNoop)), nil},
		"nothing":           {resource(vm, tfjson.ActionNoop), nil},
	} {
		t.Run(name, func(t *testing.T) {
			record := Build(Origin{Hold: hold, Generation: generation(t)}, nil, planned(test.change))
			assert.Equal(t, test.want, record.Hold)
		})
	}
}

// A virtual machine that is off is not disrupted by a power cycle. A replacement disrupts it nevertheless.
func TestSwitchedOffVMIsNotDisruptedByAPowerCycle(t *testing.T) {
	generation, err := provider.ForVersion("2.4.2")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		attribute string
		off       bool
		want      provider.Class
		on        bool
	}{
		"power state, off": {"power_state", true, provider.None, true},
		"power state":      {"power_state", false, provider.PowerCycle, true},
		"memory, off":      {"memory_size_bytes", true, provider.None, false},
		"firmware, off":    {"guest_customization", true, provider.Replace, false},
	} {
		t.Run(name, func(t *testing.T) {
			const machine = "module.machine.nutanix_virtual_machine_v2.this"
			change := resource(machine, tfjson.ActionUpdate)
			change.Change.Before, change.Change.After = map[string]any{test.attribute: "OFF"}, map[string]any{test.attribute: "ON"}
			record := Build(Origin{Generation: generation, SwitchedOff: test.off}, nil, planned(change))
			assert.Equal(t, test.want, record.Disruption)
			assert.Equal(t, test.want, record.Changes[0].Attributes[0].Disruption)
			assert.Equal(t, test.on, record.SwitchesOn(machine))
			assert.False(t, record.SwitchesOn("module.machine.nutanix_virtual_machine_v2.other"))
		})
	}
}
