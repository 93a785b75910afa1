package lifecycle

import (
	"errors"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/terraform"
	"github.com/capnt/capnt/renderer"
)

// migrating returns a fixture whose state contains a VM through the v3 API, and whose workspace contains it through the v4 API.
func migrating(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.addResource(machineAddress, "vm-1", false)
	f.target.Remembered.Applied = Applied{WorkspaceDigest: "digest-of-v3", Lineage: "lineage", Serial: 1}
	f.target.Remembered.Unfinished = true
	f.target.Resource, f.target.Former, f.target.ProviderVersion = renderer.MachineAddressV4, []string{machineAddress}, "2.4.2"
	f.target.Hooks.Migrate = f.target.Hooks.MigrateTo(renderer.MachineAddressV4)
	return f
}

// migrationPlan returns the plan that Terraform makes for a migration of vm-1.
func migrationPlan() *tfjson.Plan {
	imported, forgotten := change(renderer.MachineAddressV4, tfjson.ActionNoop), change(machineAddress, tfjson.ActionForget)
	imported.Change.Importing = &tfjson.Importing{ID: "vm-1"}
	forgotten.Change.Before = map[string]any{"id": "vm-1"}
	return &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{imported, forgotten}}
}

// migrationScenarios are migrations of a VM to the v4 API.
var migrationScenarios = map[string]func(f *fixture){
	"migration": func(f *fixture) {
		f.plan = migrationPlan()
		f.settle()
		f.step()
	},
	"migration-resumes-after-a-restart-during-the-apply": func(f *fixture) {
		f.plan = migrationPlan()
		release := f.block("apply")
		defer release()
		f.step()
		f.wait()
		f.step()
		assert.Equal(f.t, "apply", <-f.entered)
		f.restart()
		f.plan = migrationPlan()
		f.settle()
	},
	"migration-forgets-what-an-interrupted-apply-has-imported": func(f *fixture) {
		f.addResource(renderer.MachineAddressV4, "vm-1", false)
		f.plan = migrationPlan()
		f.plan.ResourceChanges[0].Change.Importing = nil
		f.plan.ResourceChanges[0].Change.Before = map[string]any{"id": "vm-1"}
		f.settle()
	},
	"migration-refused": func(f *fixture) {
		f.plan = migrationPlan()
		f.plan.ResourceChanges[0].Change.Actions = tfjson.Actions{tfjson.ActionUpdate}
		f.plan.ResourceChanges[0].Change.Before, f.plan.ResourceChanges[0].Change.After = map[string]any{"memory_size_bytes": 1}, map[string]any{"memory_size_bytes": 2}
		f.settle()
	},
	"migration-waits-for-approval": func(f *fixture) {
		f.target.Approval.Rules.Mode = infrav1.ApprovalModeAlways
		f.plan = migrationPlan()
		f.settle()
		f.restart()
		f.settle() // the next manager finds the plan
		f.target.Approval.Rules.Mode = infrav1.ApprovalModeDisruptive
		f.settle()
	},
	"migration-while-the-machine-is-off": func(f *fixture) {
		f.observe = func(string) (Observation, error) {
			return Observation{Found: true, NoPlan: &plan.Hold{Reason: infrav1.VMPoweredOffReason, Message: "it is off"}}, nil
		}
		f.settle()
	},
	"migration-that-nobody-asked-for": func(f *fixture) {
		f.target.Hooks.Migrate = nil
		f.settle()
	},
	"migration-of-another-machine": func(f *fixture) {
		f.identify = func(string) (string, error) { return "vm-2", nil }
		f.settle()
	},
	"deletion-before-a-migration": func(f *fixture) {
		f.identify = func(string) (string, error) {
			if len(f.state.Resources) == 0 {
				return "", &AbsentError{ID: "vm-1"}
			}
			return "", nil
		}
		f.delete()
		f.settle()
	},
	"retain-before-a-migration": func(f *fixture) {
		f.retain()
		f.settle()
	},
	"deletion-after-an-interrupted-migration": func(f *fixture) {
		f.addResource(renderer.MachineAddressV4, "vm-1", false)
		f.delete()
		f.settle()
	},
}

func TestMigrations(t *testing.T) {
	for name, run := range migrationScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := migrating(t)
			run(f)
			f.compare()
		})
	}
}

// A migration leaves exactly one resource in the state, and its record says what it was.
func TestMigrationIsRecorded(t *testing.T) {
	f := migrating(t)
	f.plan = migrationPlan()
	result := f.settle()
	require.Equal(t, InSync, result.State)
	assert.Equal(t, []terraform.Resource{{Address: renderer.MachineAddressV4, ID: "vm-1"}}, f.state.Resources)

	plans := &infrav1.NutanixPlanList{}
	require.NoError(t, f.plans.List(t.Context(), plans))
	require.Len(t, plans.Items, 1)
	recorded := plans.Items[0]
	assert.Equal(t, infrav1.PlanCauseMigrate, recorded.Spec.Cause)
	assert.Equal(t, infrav1.PlanDisruptionNone, recorded.Spec.Disruption)
	assert.Equal(t, "import 1 forget 1", recorded.Spec.Summary)
	assert.Equal(t, infrav1.PlanPhaseApplied, recorded.Status.Phase)
}

func TestMigrationNeedsRemovedBlocks(t *testing.T) {
	for _, test := range []struct {
		openTofu bool
		version  string
		refused  bool
	}{
		{false, "1.8.5", false},
		{true, "1.9.4", true},
		{true, "1.10.0", false},
		{true, "1.11.0-rc1", false},
		{true, "unknown", true},
	} {
		p := &Pipeline{OpenTofu: test.openTofu, TerraformVersion: test.version}
		err := p.supportsMigration()
		if !test.refused {
			assert.NoError(t, err, test.version)
			continue
		}
		var migration *plan.MigrationError
		require.ErrorAs(t, err, &migration, test.version)
		assert.Equal(t, infrav1.TerraformTooOldReason, FailureReason(errors.Join(err)))
		assert.Contains(t, err.Error(), "start the manager with --terraform-path of OpenTofu 1.10.0 or later, or of Terraform")
	}
}
