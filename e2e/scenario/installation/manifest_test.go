package installation

import (
	"os/exec"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// decisions returns the decisions in the namespace of the cluster.
func (c *cluster) decisions() []infrav1.NutanixPlanDecision {
	c.t.Helper()
	list := &infrav1.NutanixPlanDecisionList{}
	require.NoError(c.t, c.client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	return list.Items
}

// rollout returns the only decision about a class.
func (c *cluster) rollout() *infrav1.NutanixPlanDecision {
	c.t.Helper()
	decisions := slices.DeleteFunc(c.decisions(), func(decision infrav1.NutanixPlanDecision) bool { return len(decision.Spec.Classes) == 0 })
	require.Len(c.t, decisions, 1)
	return &decisions[0]
}

// decide returns the manifest of a decision that capnt prints. arguments select the plans.
func (f *flux) decide(arguments ...string) string {
	f.t.Helper()
	command := exec.CommandContext(f.ctx, testStack.Tool("bin/capnt"), append([]string{
		"plan", "approve", "--kubeconfig=" + testStack.Env.Kubeconfig(), "--namespace=" + f.Namespace,
		"--reason=CHG-4711", "--dry-run=client", "--output=yaml",
	}, arguments...)...)
	out, err := command.Output()
	require.NoError(f.t, err)
	return string(out)
}

// manifest returns the objects as YAML documents.
func (c *cluster) manifest(objects ...client.Object) string {
	c.t.Helper()
	var documents []string
	for _, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		require.NoError(c.t, err)
		document := &unstructured.Unstructured{Object: content}
		kind, err := apiutil.GVKForObject(object, c.client.Scheme())
		require.NoError(c.t, err)
		document.SetGroupVersionKind(kind)
		unstructured.RemoveNestedField(content, "status")
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
		text, err := yaml.Marshal(content)
		require.NoError(c.t, err)
		documents = append(documents, string(text))
	}
	return strings.Join(documents, "---\n")
}
