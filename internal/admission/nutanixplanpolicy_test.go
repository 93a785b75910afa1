package admission_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func planPolicy(ns string) *infrav1.NutanixPlanPolicy {
	return &infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p"},
		Spec: infrav1.NutanixPlanPolicySpec{
			Match: infrav1.PolicyMatch{Kinds: []string{"NutanixMachine"}},
			Rules: []infrav1.PolicyRule{{Name: "r", Expression: "plan.disruption == 'None'", Verdict: infrav1.PolicyVerdictDeny}},
		},
	}
}

func TestPolicyExpressionsAreChecked(t *testing.T) {
	ns := namespace(t)
	for name, tc := range map[string]struct {
		change func(*infrav1.NutanixPlanPolicySpec)
		want   string
	}{
		"typo": {func(s *infrav1.NutanixPlanPolicySpec) { s.Rules[0].Expression = "plan.disrupton == 'None'" },
			`NutanixPlanPolicy.infrastructure.cluster.x-k8s.io "p" is invalid: spec.rules[0].expression: Invalid value: ` +
				`"plan.disrupton == 'None'": rule r: line 1, column 5: undefined field 'disrupton'`},
		"no bool": {func(s *infrav1.NutanixPlanPolicySpec) { s.Rules[0].Expression = "plan.disruption" }, "the result must be bool, but it is string"},
		"message": {func(s *infrav1.NutanixPlanPolicySpec) { s.Rules[0].MessageExpression = "1" }, "spec.rules[0].messageExpression: Invalid value"},
		"two messages": {func(s *infrav1.NutanixPlanPolicySpec) { s.Rules[0].MessageExpression, s.Rules[0].Message = "'a'", "a" },
			"set message or messageExpression, not both"},
		"verdict":  {func(s *infrav1.NutanixPlanPolicySpec) { s.Rules[0].Verdict = "Allow" }, "spec.rules[0].verdict: Unsupported value"},
		"no rules": {func(s *infrav1.NutanixPlanPolicySpec) { s.Rules = nil }, "spec.rules"},
		"kind":     {func(s *infrav1.NutanixPlanPolicySpec) { s.Match.Kinds = []string{"Machine"} }, "spec.match.kinds[0]: Unsupported value"},
	} {
		t.Run(name, func(t *testing.T) {
			object := planPolicy(ns)
			tc.change(&object.Spec)
			assert.ErrorContains(t, api.Create(t.Context(), object), tc.want)
		})
	}
}

func TestPolicyThatDeniesPlansWithoutAMachineCausesAWarning(t *testing.T) {
	object := planPolicy(namespace(t))
	object.Spec.Rules[0].Expression = "machine.spec.vcpuSockets < 4"
	warnings.messages = nil
	require.NoError(t, api.Create(t.Context(), object))
	assert.Empty(t, warnings.messages)
	object.Spec.Match.Kinds = nil
	require.NoError(t, api.Update(t.Context(), object))
	require.Len(t, warnings.messages, 1)
	assert.Contains(t, warnings.messages[0], "set spec.match.kinds to [NutanixMachine]")
	object.Spec.Rules[0].Expression = "machine.spec.sockets < 4"
	assert.ErrorContains(t, api.Update(t.Context(), object), "undefined field 'sockets'")
}

func TestExamplePoliciesAreAccepted(t *testing.T) {
	files, err := filepath.Glob("../../config/policies/*-*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	ns := namespace(t)
	warnings.messages = nil
	for _, file := range files {
		for _, object := range manifests(t, file) {
			object.SetNamespace(ns)
			require.NoError(t, api.Create(t.Context(), object), file)
		}
	}
	assert.Empty(t, warnings.messages)
	list := &infrav1.NutanixPlanPolicyList{}
	require.NoError(t, api.List(t.Context(), list, client.InNamespace(ns)))
	assert.Len(t, list.Items, len(files))
}
