package cli

import (
	"encoding/json"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestPlanList(t *testing.T) {
	tests := map[string][]string{
		"list.txt":      {"plan", "list"},
		"list-wide.txt": {"plan", "list", "-o", "wide", "-A"},
		"list-name.txt": {"plan", "list", "-o", "name", "--phase", "Applied,Waiting"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			assert.Equal(t, 1, program.run(t, args...), "plans wait")
			golden(t, name, program.out.String())
		})
	}
}

func TestPlanList_WithoutWaitingPlans(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 0, program.run(t, "plan", "list", "--phase", "Applied"))
	assert.NotContains(t, program.out.String(), "prod-md")
	assert.Equal(t, 0, program.run(t, "plan", "list", "-n", "empty"))
	assert.Equal(t, "No plans found.\n", program.err.String())
}

func TestPlanListAsJSON(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 1, program.run(t, "plan", "list", "-o", "json"))
	var list infrav1.NutanixPlanList
	require.NoError(t, json.Unmarshal(program.out.Bytes(), &list))
	assert.Equal(t, "NutanixPlanList", list.Kind)
	assert.Len(t, list.Items, 15)
	assert.Equal(t, driftPlan, list.Items[0].Name, "the most disruptive plan that waits")
	assert.Equal(t, "NutanixPlan", list.Items[0].Kind)
}

func TestColorsOnATerminalOnly(t *testing.T) {
	program := newProgram(t, objects(t)...)
	program.run(t, "plan", "list")
	plain := program.out.String()
	assert.NotContains(t, plain, "\x1b")
	program.config.Color = true
	program.run(t, "plan", "list")
	colored := program.out.String()
	assert.Contains(t, colored, "\x1b[33mPowerCycle\x1b[0m")
	assert.Equal(t, plain, strings.NewReplacer("\x1b[33m", "", "\x1b[0m", "").Replace(colored), "colours do not change the columns")
}

func TestPlanShow(t *testing.T) {
	tests := []struct {
		golden, plan string
		code         int
	}{
		{"show-drift.txt", driftPlan, 1},
		{"show-create.txt", createPlan, 1},
		{"show-delete.txt", deletePlan, 0},
	}
	for _, test := range tests {
		t.Run(test.golden, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			assert.Equal(t, test.code, program.run(t, "plan", "show", test.plan))
			golden(t, test.golden, program.out.String())
			lines := strings.Split(strings.TrimSuffix(program.out.String(), "\n"), "\n")
			assert.LessOrEqual(t, len(lines), 24, "a plan fits on a screen of 24 lines")
			for _, line := range lines {
				if !strings.Contains(line, "kubectl capnt") {
					assert.LessOrEqual(t, len([]rune(line)), 80, line)
				}
			}
		})
	}
}

func TestPlanShowAsTerraformJSON(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 1, program.run(t, "plan", "show", createPlan, "-o", "tfjson"))
	golden(t, "show-create.json", program.out.String())
	var plan tfjson.Plan
	require.NoError(t, json.Unmarshal(program.out.Bytes(), &plan), "the library of HashiCorp can read it")
	require.Len(t, plan.ResourceChanges, 1)
	assert.True(t, plan.ResourceChanges[0].Change.Actions.Create())
	after, _ := plan.ResourceChanges[0].Change.After.(map[string]any)
	assert.Equal(t, float64(16384), after["memory_size_mib"]) //nolint:testifylint // the number is an integer
	assert.Equal(t, map[string]any{"guest_customization_cloud_init_user_data": true, "guest_customization_cloud_init_meta_data": true},
		plan.ResourceChanges[0].Change.AfterSensitive)
}

func TestPlanDiff(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 1, program.run(t, "plan", "diff", driftPlan))
	golden(t, "diff.txt", program.out.String())
	assert.Equal(t, 1, program.run(t, "plan", "diff", createPlan, outlierPlan))
	golden(t, "diff-two.txt", program.out.String())
	assert.Equal(t, 0, program.run(t, "plan", "diff", createPlan, createPlan))
	assert.Empty(t, program.out.String())
}

func TestPlanOfAnotherNamespaceIsNotFound(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 2, program.run(t, "plan", "show", driftPlan, "-n", "other"))
	assert.Contains(t, program.err.String(), "error: reading plan other/"+driftPlan)
}

func TestCompletionOfPlans(t *testing.T) {
	program := newProgram(t, objects(t)...)
	assert.Equal(t, 0, program.run(t, "__complete", "plan", "approve", driftPlan, ""))
	lines := strings.Split(program.out.String(), "\n")
	assert.Equal(t, createPlan+"\tWaiting Create +1 None", lines[0])
	assert.NotContains(t, program.out.String(), driftPlan, "it is already an argument")
}

func TestRolloutHasOneClass(t *testing.T) {
	first, second := creationOf(t, "prod-md-1-000ab", subnetA), creationOf(t, "prod-md-1-001ab", subnetA)
	assert.Equal(t, first.ClassDigest, second.ClassDigest, "real plans of one rollout have one class")
	assert.NotEqual(t, first.ChangeDigest, second.ChangeDigest)
	assert.NotEqual(t, first.ClassDigest, creationOf(t, "prod-md-1-x2x9q", subnetB).ClassDigest)
}

func TestInvalidOutputFormat(t *testing.T) {
	program := newProgram(t)
	assert.Equal(t, 2, program.run(t, "plan", "list", "-o", "toml"))
	assert.Contains(t, program.err.String(), `invalid output format "toml": set -o to one of wide, json, yaml, name`)
}

func TestVersion(t *testing.T) {
	program := newProgram(t)
	assert.Equal(t, 0, program.run(t, "version"))
	assert.Contains(t, program.out.String(), "capnt v0.2.0 (go")
}

// updatePlan changes the status of a plan.
func (p *program) updatePlan(t *testing.T, name string, change func(*infrav1.NutanixPlan)) {
	t.Helper()
	plan := &infrav1.NutanixPlan{}
	require.NoError(t, p.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, plan))
	change(plan)
	require.NoError(t, p.Status().Update(t.Context(), plan))
}

// TestMistakesAreErrors checks that a script does not take a mistake in a command for the result that nothing waits.
func TestMistakesAreErrors(t *testing.T) {
	for name, test := range map[string]struct {
		args    []string
		message string
	}{
		"unknown command":            {[]string{"plans", "list"}, `unknown command "plans" for "kubectl capnt"`},
		"unknown command of a group": {[]string{"plan", "lst"}, `unknown command "lst" for "kubectl capnt plan"`},
		"no uses":                    {[]string{"plan", "approve", driftPlan, "--reason", "x", "--yes", "--max-uses", "0"}, "--max-uses is not positive"},
		"unknown phase":              {[]string{"plan", "list", "--phase", "waiting"}, `invalid phase "waiting": set --phase to one of Recorded, Waiting,`},
	} {
		t.Run(name, func(t *testing.T) {
			program := newProgram(t, objects(t)...)
			assert.Equal(t, exitError, program.run(t, test.args...))
			assert.Contains(t, program.err.String(), test.message)
		})
	}
}
