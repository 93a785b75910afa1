package plan

import (
	"encoding/json"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	vm    = "module.machine.nutanix_virtual_machine.this"
	key   = "module.cluster.nutanix_category_key.this"
	value = "module.cluster.nutanix_category_value.this"
)

func resource(address string, actions ...tfjson.Action) *tfjson.ResourceChange {
	return &tfjson.ResourceChange{Address: address, Change: &tfjson.Change{Actions: actions}}
}

func imported(change *tfjson.ResourceChange) *tfjson.ResourceChange {
	change.Change.Importing = &tfjson.Importing{ID: "11111111-1111-4111-8111-111111111111"}
	return change
}

func planned(changes ...*tfjson.ResourceChange) *tfjson.Plan {
	return &tfjson.Plan{ResourceChanges: changes}
}

func TestBuildCountsAndSummarises(t *testing.T) {
	tainted := resource(vm, tfjson.ActionDelete, tfjson.ActionCreate)
	tainted.ActionReason = "replace_because_tainted"
	tests := map[string]struct {
		plan        *tfjson.Plan
		counts      Counts
		changes     []Change
		cause       Cause
		destructive []string
		summary     string
	}{
		"create": {
			plan:    planned(resource(vm, tfjson.ActionCreate)),
			counts:  Counts{Create: 1},
			changes: []Change{{vm, []Action{ActionCreate}, ""}},
			summary: "Plan: 1 to create (" + vm + " create)",
		},
		"two to create, one read and one as it is": {
			plan: planned(resource(key, tfjson.ActionCreate), resource(value, tfjson.ActionCreate),
				resource("data.nutanix_cluster.x", tfjson.ActionRead), resource(vm, tfjson.ActionNoop)),
			counts:  Counts{Create: 2},
			changes: []Change{{key, []Action{ActionCreate}, ""}, {value, []Action{ActionCreate}, ""}},
			summary: "Plan: 2 to create (" + key + " create, " + value + " create)",
		},
		"update": {
			plan:    planned(resource(vm, tfjson.ActionUpdate)),
			counts:  Counts{Update: 1},
			changes: []Change{{vm, []Action{ActionUpdate}, ""}},
			summary: "Plan: 1 to update (" + vm + " update)",
		},
		"replace": {
			plan:        planned(tainted),
			counts:      Counts{Replace: 1},
			changes:     []Change{{vm, []Action{ActionReplace}, "replace_because_tainted"}},
			destructive: []string{vm},
			summary:     "Plan: 1 to replace (" + vm + " replace)",
		},
		"replace, the new one first": {
			plan:        planned(resource(vm, tfjson.ActionCreate, tfjson.ActionDelete)),
			counts:      Counts{Replace: 1},
			changes:     []Change{{vm, []Action{ActionReplace}, ""}},
			destructive: []string{vm},
			summary:     "Plan: 1 to replace (" + vm + " replace)",
		},
		"delete": {
			plan:        planned(resource(value, tfjson.ActionDelete)),
			counts:      Counts{Delete: 1},
			changes:     []Change{{value, []Action{ActionDelete}, ""}},
			destructive: []string{value},
			summary:     "Plan: 1 to delete (" + value + " delete)",
		},
		"import": {
			plan:    planned(imported(resource(vm, tfjson.ActionNoop))),
			counts:  Counts{Import: 1},
			changes: []Change{{vm, []Action{ActionImport}, ""}},
			cause:   CauseImport,
			summary: "Plan: 1 to import (" + vm + " import)",
		},
		"import and update": {
			plan:    planned(imported(resource(vm, tfjson.ActionUpdate))),
			counts:  Counts{Import: 1, Update: 1},
			changes: []Change{{vm, []Action{ActionImport, ActionUpdate}, ""}},
			cause:   CauseImport,
			summary: "Plan: 1 to import, 1 to update (" + vm + " import+update)",
		},
		"import and replace": {
			plan:        planned(imported(resource(vm, tfjson.ActionDelete, tfjson.ActionCreate))),
			counts:      Counts{Import: 1, Replace: 1},
			changes:     []Change{{vm, []Action{ActionImport, ActionReplace}, ""}},
			cause:       CauseImport,
			destructive: []string{vm},
			summary:     "Plan: 1 to import, 1 to replace (" + vm + " import+replace)",
		},
		"forget": {
			plan:    planned(resource(key, tfjson.ActionForget), resource(value, tfjson.ActionCreate)),
			counts:  Counts{Create: 1},
			changes: []Change{{key, []Action{ActionForget}, ""}, {value, []Action{ActionCreate}, ""}},
			summary: "Plan: 1 to create (" + key + " forget, " + value + " create)",
		},
		"what nobody knows is taken for the worst": {
			plan:        planned(resource(vm, tfjson.ActionCreate, "surprise")),
			counts:      Counts{Replace: 1},
			changes:     []Change{{vm, []Action{ActionReplace}, ""}},
			destructive: []string{vm},
			summary:     "Plan: 1 to replace (" + vm + " replace)",
		},
		"outputs only": {
			plan: &tfjson.Plan{
				ResourceChanges: []*tfjson.ResourceChange{resource(vm, tfjson.ActionNoop), {Address: "no change at all"}},
				OutputChanges:   map[string]*tfjson.Change{"addresses": {Actions: tfjson.Actions{tfjson.ActionUpdate}}},
			},
			summary: "Plan: no resources to change, outputs only",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.cause == "" {
				test.cause = CauseUpdate
			}
			record := Build(Origin{Cause: CauseUpdate}, []byte("file"), test.plan)
			assert.Equal(t, test.counts, record.Counts)
			assert.Equal(t, test.changes, record.Changes)
			assert.Equal(t, test.cause, record.Cause)
			assert.Equal(t, test.destructive, record.Destructive())
			assert.Equal(t, test.summary, record.Summary())
		})
	}
}

func TestBuildKeepsTheOrigin(t *testing.T) {
	made := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	record := Build(Origin{
		Cause: CauseDelete, Destroy: true, WorkspaceDigest: "digest", Lineage: "lineage", Serial: 7,
		TerraformVersion: "1.11.4", ProviderVersion: "1.9.5", Time: made,
	}, []byte("file"), planned(resource(vm, tfjson.ActionDelete)))
	assert.Equal(t, Record{
		Cause: CauseDelete, Destroy: true, WorkspaceDigest: "digest",
		SHA256:  "3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80",
		Lineage: "lineage", Serial: 7, TerraformVersion: "1.11.4", ProviderVersion: "1.9.5", Time: made,
		Counts:  Counts{Delete: 1},
		Changes: []Change{{vm, []Action{ActionDelete}, ""}},
	}, record)
}

// A record goes into status and events, which many may read.
func TestNoValueEntersARecord(t *testing.T) {
	const secret = "s3cr3t-Ünique"
	everywhere := map[string]any{"user_data": secret, "list": []any{secret, map[string]any{secret: secret}}}
	change := &tfjson.Change{
		Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: everywhere, After: everywhere,
		AfterUnknown: everywhere, GeneratedConfig: secret, Importing: &tfjson.Importing{ID: secret},
	}
	content := &tfjson.Plan{
		ResourceChanges: []*tfjson.ResourceChange{{Address: vm, Change: change, PreviousAddress: secret, Index: secret}},
		ResourceDrift:   []*tfjson.ResourceChange{{Address: secret, Change: change}},
		OutputChanges:   map[string]*tfjson.Change{secret: change},
		Variables:       map[string]*tfjson.PlanVariable{"user_data": {Value: secret}},
		PriorState:      &tfjson.State{Values: &tfjson.StateValues{Outputs: map[string]*tfjson.StateOutput{"x": {Value: secret}}}},
	}
	record := Build(Origin{Cause: CauseUpdate}, []byte(secret), content)
	written, err := json.Marshal(record)
	require.NoError(t, err)
	assert.NotContains(t, string(written)+record.Summary(), "s3cr3t")
}
