package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// TestVariables checks which values expressions see. All expressions are true for driftInput.
func TestVariables(t *testing.T) {
	for name, expression := range map[string]string{
		"spec of the plan":           "plan.cause == 'Drift' && plan.disruption == 'PowerCycle' && plan.target.kind == 'NutanixMachine'",
		"metadata of the plan":       "plan.metadata.name.startsWith(plan.target.name) && plan.metadata.namespace == 'prod'",
		"attributes":                 "plan.changes[0].attributes.exists(a, a.path == 'memory_size_mib' && int(a.before) > int(a.after))",
		"numbers that are zero":      "plan.counts.create == 0 && plan.counts.import + plan.omitted.attributes == 0",
		"lists that are empty":       "plan.changes[0].replacePaths.size() == 0",
		"texts that are empty":       "plan.origin.author != '' && plan.origin.revision == ''",
		"fields that are not set":    "!has(plan.hold) && !has(plan.file) && has(plan.changes[0].attributes[0].after)",
		"machine":                    "machine.spec.vcpuSockets * machine.spec.vcpusPerSocket == 4 && machine.spec.project.name == 'web'",
		"optional field of machine":  "!has(machine.spec.image) && !has(machine.spec.gpus)",
		"age of the machine":         "now - machine.metadata.creationTimestamp == duration('1h')",
		"missing annotation":         "!('x' in machine.metadata.annotations)",
		"cluster":                    "cluster.spec.prismCentral.address.endsWith('.example.com')",
		"namespace":                  "namespaceObject.metadata.labels['env'] == 'production' && namespaceObject.metadata.name == 'prod'",
		"number of machines":         "machineCount == 3",
		"time with a time zone":      "now.getHours('Europe/Berlin') == 12 && now.getDayOfWeek('Europe/Berlin') == 3",
		"quantity library":           "quantity(machine.spec.memorySize).isLessThan(quantity('64Gi'))",
		"regular expression library": "machine.metadata.name.find('[0-9][a-z0-9]+$') == '9d8v2'",
		"set library":                "sets.contains(['update'], plan.changes[0].actions)",
		"optional syntax":            "plan.?hold.reason.orValue('none') == 'none'",
		"list library":               "plan.changes.map(c, c.address).isSorted()",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(expression)
			assert.Empty(t, policy.ValidateNew(&p))
			assert.Empty(t, policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, driftInput()))
		})
	}
}

func TestMachineOfClusterPlanIsNull(t *testing.T) {
	assert.Empty(t, policy.Evaluate([]infrav1.NutanixPlanPolicy{newPolicy("machine == null || machine.spec.vcpuSockets < 2")}, clusterInput()))
	finding := onlyFinding(t, newPolicy("machine.spec.vcpuSockets < 4"), clusterInput())
	assert.Equal(t, infrav1.PolicyVerdictDeny, finding.Verdict)
	require.Error(t, finding.Err)
	assert.Contains(t, finding.Message, "machine is null for this plan: if the policy is for machines only, set spec.match.kinds to [NutanixMachine]")
}

// TestRuleThatCannotBeEvaluatedDenies checks that the verdict is Deny for rules that would only warn.
func TestRuleThatCannotBeEvaluatedDenies(t *testing.T) {
	unknown := driftInput()
	unknown.MachineCount, unknown.Namespace = nil, nil
	many := driftInput()
	attribute := many.Plan.Spec.Changes[0].Attributes[0]
	for range 120 {
		many.Plan.Spec.Changes[0].Attributes = append(many.Plan.Spec.Changes[0].Attributes, attribute)
	}
	const attributes = "plan.changes[0].attributes"
	for name, tc := range map[string]struct {
		expression, message string
		input               policy.Input
	}{
		"syntax":            {"plan.", "line 1, column 6: Syntax error", driftInput()},
		"typo":              {"plan.disrupton == 'None'", "line 1, column 5: undefined field 'disrupton'. Correct the expression", driftInput()},
		"no bool":           {"plan.disruption", "the result must be bool, but it is string. Correct the expression", driftInput()},
		"missing field":     {"machine.spec.image.name == 'x'", "no such key: image. Test with has()", driftInput()},
		"missing label":     {"machine.metadata.labels['x'] == 'x'", "no such key: x. Test with has()", driftInput()},
		"not a number":      {"int(plan.cause) > 0", "Test with has()", driftInput()},
		"no time zone":      {"now.getHours('Mars/Olympus') > 0", "unknown time zone", driftInput()},
		"count not known":   {"machineCount < 10", "no such attribute(s): machineCount", unknown},
		"namespace unknown": {"namespaceObject.metadata.name == 'x'", "no such attribute(s): namespaceObject", unknown},
		"too expensive": {
			attributes + ".all(a, " + attributes + ".all(b, " + attributes + ".all(c, a.path + b.path + c.path != '')))",
			"cost limit exceeded. Simplify the expression", many,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(tc.expression)
			p.Spec.Rules[0].Verdict = infrav1.PolicyVerdictWarn
			for range 2 { // the second evaluation uses the cache
				finding := onlyFinding(t, p, tc.input)
				require.Error(t, finding.Err)
				assert.Equal(t, infrav1.PolicyVerdictDeny, finding.Verdict)
				assert.Contains(t, finding.Message, "rule r of policy prod/p cannot be evaluated and therefore denies the plan: ")
				assert.Contains(t, finding.Message, tc.message)
			}
		})
	}
}

// TestPoliciesOfOnePlanHaveACommonBudget checks that many rules that are cheap enough on their own end with a denial.
func TestPoliciesOfOnePlanHaveACommonBudget(t *testing.T) {
	input := driftInput()
	attribute := input.Plan.Spec.Changes[0].Attributes[0]
	for range 90 {
		input.Plan.Spec.Changes[0].Attributes = append(input.Plan.Spec.Changes[0].Attributes, attribute)
	}
	p := newPolicy("")
	p.Spec.Rules = nil
	for i := range 32 {
		p.Spec.Rules = append(p.Spec.Rules, infrav1.PolicyRule{
			Name: fmt.Sprintf("r%d", i), Verdict: infrav1.PolicyVerdictWarn,
			Expression: "plan.changes[0].attributes.all(a, plan.changes[0].attributes.all(b, [1,2,3,4,5,6,7,8].all(c, a.path + b.path != '')))",
		})
	}
	findings := policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, input)
	require.Len(t, findings, 1)
	assert.Equal(t, infrav1.PolicyVerdictDeny, findings[0].Verdict)
	assert.Contains(t, findings[0].Message, "Remove policies or simplify their expressions")
	assert.NotEqual(t, "r0", findings[0].Rule)
}

func TestMessages(t *testing.T) {
	for name, tc := range map[string]struct{ message, expression, want string }{
		"default":           {"", "", "r: the expression is not true: plan.disruption == 'None'"},
		"fixed":             {"ask the platform team", "", "ask the platform team"},
		"expression":        {"", "'not for ' + machine.metadata.name", "not for prod-md-0-9d8v2"},
		"failed expression": {"", "machine.spec.image.name", "r: the expression is not true: plan.disruption == 'None'"},
		"empty expression":  {"", "''", "r: the expression is not true: plan.disruption == 'None'"},
		"control sequences": {"", `'line\n\u001b[31mred\u001b[0m'`, "line [31mred [0m"},
		"too long":          {"", "'" + strings.Repeat("ä", 400) + "'", strings.Repeat("ä", 254) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy("plan.disruption == 'None'")
			p.Spec.Rules[0].Verdict = infrav1.PolicyVerdictWarn
			p.Spec.Rules[0].Message, p.Spec.Rules[0].MessageExpression = tc.message, tc.expression
			want := policy.Finding{Policy: "prod/p", Rule: "r", Verdict: infrav1.PolicyVerdictWarn, Message: tc.want}
			assert.Equal(t, want, onlyFinding(t, p, driftInput()))
		})
	}
}

func TestMatch(t *testing.T) {
	unlabelled := driftInput()
	unlabelled.Plan.Spec.Origin.Cluster, unlabelled.Machine.Labels = "", nil
	labelled := driftInput()
	labelled.Plan.Spec.Origin.Cluster = ""
	for name, tc := range map[string]struct {
		match   infrav1.PolicyMatch
		input   policy.Input
		applies bool
	}{
		"everything":        {infrav1.PolicyMatch{}, driftInput(), true},
		"cause":             {infrav1.PolicyMatch{Causes: []infrav1.PlanCause{infrav1.PlanCauseUpdate, infrav1.PlanCauseDrift}}, driftInput(), true},
		"other cause":       {infrav1.PolicyMatch{Causes: []infrav1.PlanCause{infrav1.PlanCauseUpdate}}, driftInput(), false},
		"kind":              {infrav1.PolicyMatch{Kinds: []string{"NutanixMachine"}}, driftInput(), true},
		"other kind":        {infrav1.PolicyMatch{Kinds: []string{"NutanixMachine"}}, clusterInput(), false},
		"cluster":           {infrav1.PolicyMatch{Clusters: []string{"test", "prod"}}, driftInput(), true},
		"cluster by label":  {infrav1.PolicyMatch{Clusters: []string{"test"}}, labelled, false},
		"other cluster":     {infrav1.PolicyMatch{Clusters: []string{"test"}}, driftInput(), false},
		"cluster not known": {infrav1.PolicyMatch{Clusters: []string{"test"}}, unlabelled, true},
		"all fields":        {infrav1.PolicyMatch{Kinds: []string{"NutanixMachine"}, Clusters: []string{"test"}}, driftInput(), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy("false")
			p.Spec.Match = tc.match
			assert.Equal(t, tc.applies, len(policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, tc.input)) == 1)
		})
	}
}

func TestFindingsAreSortedAndRepeatable(t *testing.T) {
	var policies []infrav1.NutanixPlanPolicy
	for _, name := range []string{"b/y", "b/x", "a/z"} {
		p := newPolicy("false")
		p.Namespace, p.Name, _ = strings.Cut(name, "/")
		policies = append(policies, p)
	}
	first := policy.Evaluate(policies, driftInput())
	var names []string
	for _, finding := range first {
		names = append(names, finding.Policy)
	}
	assert.Equal(t, []string{"a/z", "b/x", "b/y"}, names)
	assert.Equal(t, first, policy.Evaluate(policies, driftInput()))
	assert.Equal(t, "b/y", policies[0].Namespace+"/"+policies[0].Name, "the caller's list stays as it is")
}

// TestCacheDependsOnContent checks that a policy with the same name and generation, but with another expression, is compiled again.
func TestCacheDependsOnContent(t *testing.T) {
	p := newPolicy("plan.cause == 'Drift'")
	p.ObjectMeta = metav1.ObjectMeta{Namespace: "prod", Name: "p", UID: "u", Generation: 1}
	assert.Empty(t, policy.Evaluate([]infrav1.NutanixPlanPolicy{p}, driftInput()))
	p.Spec.Rules[0].Expression = "plan.cause == 'Create'"
	assert.NoError(t, onlyFinding(t, p, driftInput()).Err)
}

func TestFindingIsVolatile_IfItsExpressionReadsWhatChangesWithoutAnEvent(t *testing.T) {
	for expression, volatile := range map[string]bool{
		"now.getDayOfWeek('Europe/Berlin') == 5":             true,
		"plan.changes.exists(c, now < timestamp(c.address))": true, // it cannot be evaluated
		"machineCount > 3":                                     true,
		"'tier' in namespaceObject.metadata.labels":            true,
		"plan.disruption == 'None'":                            false,
		"machine.metadata.name == 'now'":                       false,
		"has(cluster.spec.prismCentral.additionalTrustBundle)": false,
		"now > 3": false, // it does not compile
	} {
		assert.Equal(t, volatile, onlyFinding(t, newPolicy(expression), driftInput()).Volatile, expression)
	}
}
