package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fridayPolicy is the shipped example.
const fridayPolicy = "../../config/policies/no-disruption-on-friday.yaml"

// withNamespace adds the namespace of the objects.
func withNamespace(objects []client.Object) []client.Object {
	return append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
}

// writeObjects writes objects as one file.
func writeObjects(t *testing.T, objects []client.Object) string {
	t.Helper()
	scheme, err := Scheme()
	require.NoError(t, err)
	var content bytes.Buffer
	for _, object := range objects {
		content.WriteString("---\n# comment\n")
		require.NoError(t, encodeObject(&content, outputYAML, object, scheme))
	}
	path := filepath.Join(t.TempDir(), "objects.yaml")
	require.NoError(t, os.WriteFile(path, content.Bytes(), 0o600))
	return path
}

func TestPolicyTestOfClusterPlans(t *testing.T) {
	program := newProgram(t, withNamespace(objects(t))...)
	friday := []string{"policy", "test", "-f", fridayPolicy, "--now", "2026-12-04T10:00:00+01:00"}
	assert.Equal(t, 1, program.run(t, append(friday, driftPlan, createPlan)...), program.err.String())
	golden(t, "policy.txt", program.out.String())
	assert.Equal(t, 0, program.run(t, "policy", "test", "-f", fridayPolicy, "--now", "2026-12-03T10:00:00+01:00", driftPlan))
	assert.Equal(t, 2, program.run(t, append(friday, "none")...))
	assert.Contains(t, program.err.String(), "plan prod/none does not exist")
}

func TestPolicyTestWithoutCluster(t *testing.T) {
	program := newProgram(t)
	program.config.Connect = nil
	path := writeObjects(t, withNamespace(objects(t)))
	assert.Equal(t, 1, program.run(t, "policy", "test", "-f", fridayPolicy, "--objects", path, "--now", "2026-12-04T10:00:00+01:00"))
	assert.Contains(t, program.out.String(), "disruptive change (PowerCycle) of prod-md-0-9d8v2 on a Friday")
}

func TestPolicyTestCountsMachines(t *testing.T) {
	policy := `
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: NutanixPlanPolicy
metadata: {name: few, namespace: prod}
spec:
  rules:
  - {name: few, expression: "machineCount < 3", verdict: Deny}
`
	path := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(policy), 0o600))
	objects := withNamespace(objects(t))
	for _, object := range objects {
		object.SetLabels(map[string]string{"cluster.x-k8s.io/cluster-name": "prod"})
	}
	program := newProgram(t, objects...)
	assert.Equal(t, 1, program.run(t, "policy", "test", "-f", path, driftPlan), "there are three machines")
	assert.Equal(t, 0, program.run(t, "policy", "test", "-f", path, driftPlan, "--machine-count", "2"), program.out.String())
}

func TestPolicyTestOfInvalidFiles(t *testing.T) {
	tests := map[string]struct{ content, message string }{
		"unknown field": {"apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: NutanixPlanPolicy\nspec: {rule: []}", `unknown field "spec.rule"`},
		"no policy":     {"apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}", "contain no NutanixPlanPolicy"},
		"no YAML":       {"{", "reading"},
		"expression": {"apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: NutanixPlanPolicy\nmetadata: {name: p}\n" +
			"spec: {rules: [{name: r, expression: 'plan.size > 1', verdict: Deny}]}", "spec.rules[0].expression"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			program := newProgram(t, objects(t)...)
			assert.Equal(t, 2, program.run(t, "policy", "test", "-f", path, driftPlan))
			assert.Contains(t, program.err.String(), test.message)
		})
	}
}

func TestPolicyTestReadsLists(t *testing.T) {
	program := newProgram(t, withNamespace(objects(t))...)
	program.run(t, "plan", "list", "-o", "yaml")
	path := filepath.Join(t.TempDir(), "plans.yaml")
	content := "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: prod}\n---\n" + program.out.String()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	machines := writeObjects(t, []client.Object{machine("prod-md-0-9d8v2", "prod-a", true)})
	assert.Equal(t, 1, program.run(t, "policy", "test", "-f", fridayPolicy, "--objects", path+","+machines, "--now", "2026-12-04T10:00:00Z"),
		program.err.String())
	assert.Contains(t, program.out.String(), "prod/"+driftPlan)
	assert.Contains(t, program.out.String(), "prod/"+outlierPlan)
}
