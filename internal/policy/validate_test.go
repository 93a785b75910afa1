package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/policy"
)

func TestValidationNamesRuleFieldAndColumn(t *testing.T) {
	for name, tc := range map[string]struct{ expression, message, want string }{
		"typo in a field": {
			"plan.disrupton == 'None'", "",
			`spec.rules[0].expression: Invalid value: "plan.disrupton == 'None'": rule r: line 1, column 5: undefined field 'disrupton'`,
		},
		"unknown variable": {
			"true &&\n  vm.name == ''", "",
			`spec.rules[0].expression: Invalid value: "true &&\n  vm.name == ''": rule r: line 2, column 3: undeclared reference to 'vm' (in container '')`,
		},
		"comparison of different types": {
			"plan.counts.create < '3'", "",
			"rule r: line 1, column 20: found no matching overload for '_<_' applied to '(int, string)'",
		},
		"status": {"plan.status.phase == 'Waiting'", "", "undefined field 'status'"},
		"result is not a bool": {
			"machineCount", "", `spec.rules[0].expression: Invalid value: "machineCount": rule r: the result must be bool, but it is int`,
		},
		"result can be anything": {"machine.spec.memorySize", "", "the result must be bool, but it is dyn"},
		"message is not a string": {
			"true", "machineCount", `spec.rules[0].messageExpression: Invalid value: "machineCount": rule r: the result must be string, but it is int`,
		},
		"invalid regular expression": {"plan.cause.matches('(')", "", "line 1, column 20: invalid matches argument"},
		"invalid timestamp":          {"now < timestamp('tomorrow')", "", "invalid timestamp argument"},
		"reserved word":              {"namespace.metadata.name == 'x'", "", "reserved identifier: namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(tc.expression)
			p.Spec.Rules[0].MessageExpression = tc.message
			errs := policy.ValidateNew(&p)
			require.Len(t, errs, 1)
			assert.Contains(t, errs[0].Error(), tc.want)
			assert.Equal(t, errs, policy.ValidateStored(&p))
		})
	}
}

func TestValidationReportsAllRules(t *testing.T) {
	p := newPolicy("plan.cause")
	p.Spec.Rules = append(p.Spec.Rules, p.Spec.Rules[0])
	p.Spec.Rules[1].Name, p.Spec.Rules[1].MessageExpression = "second", "plan.counts.create"
	errs := policy.ValidateNew(&p)
	require.Len(t, errs, 3)
	assert.Equal(t, "spec.rules[1].messageExpression", errs[2].Field)
	assert.Contains(t, errs[2].Detail, "rule second: ")
}

func TestWarningAboutPlansWithoutAMachine(t *testing.T) {
	for name, tc := range map[string]struct {
		expression string
		kinds      []string
		warns      bool
	}{
		"any kind":           {"machine.spec.vcpuSockets < 4", nil, true},
		"nested":             {"plan.changes.all(c, quantity(machine.spec.memorySize).isLessThan(quantity('4Gi')))", nil, true},
		"clusters":           {"machine.spec.vcpuSockets < 4", []string{"NutanixMachine", "NutanixCluster"}, true},
		"only machines":      {"machine.spec.vcpuSockets < 4", []string{"NutanixMachine"}, false},
		"tested":             {"machine == null || machine.spec.vcpuSockets < 4", nil, false},
		"other variables":    {"cluster.metadata.name == plan.target.name", nil, false},
		"optional selection": {"machine.?spec.?vcpuSockets.orValue(0) < 4", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(tc.expression)
			p.Spec.Match.Kinds = tc.kinds
			require.Empty(t, policy.ValidateNew(&p))
			warnings := policy.Warnings(&p)
			if !tc.warns {
				assert.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], "spec.rules[0].expression: rule r reads fields of machine, which is null for plans of a NutanixCluster")
		})
	}
}
