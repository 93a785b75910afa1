package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// TestWithAPIServer runs the commands with a kubeconfig and a real API server. It has the CRDs but no manager.
func TestWithAPIServer(t *testing.T) {
	environment := apiserver.For(t, apiserver.Options{CRDs: true})
	scheme, err := Scheme()
	require.NoError(t, err)
	admin, err := client.New(environment.Config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	require.NoError(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	plan := drift(t)
	status := plan.Status
	plan.Spec.Signature = "hmac-sha256:00"
	require.NoError(t, admin.Create(t.Context(), &plan))
	plan.Status = status
	require.NoError(t, admin.Status().Update(t.Context(), &plan))

	kubeconfig := userKubeconfig(t, environment)
	program := newProgram(t)
	program.config.Connect = nil
	run := func(args ...string) int {
		return program.run(t, append(args, "--kubeconfig", kubeconfig, "-n", namespace)...)
	}
	assert.Equal(t, 1, run("plan", "list"), program.err.String())
	assert.Contains(t, program.out.String(), driftPlan)
	assert.Equal(t, 1, run("plan", "show", driftPlan), program.err.String())
	assert.Contains(t, program.out.String(), "4 GiB -> 8 GiB")
	assert.Equal(t, 0, run("plan", "approve", driftPlan, "--reason", "CHG-4711", "--yes"), program.err.String())
	assert.Contains(t, program.err.String(), "Your approval does not count", "the API server knows the name of the user")
	decisions := &infrav1.NutanixPlanDecisionList{}
	require.NoError(t, admin.List(t.Context(), decisions, client.InNamespace(namespace)))
	require.Len(t, decisions.Items, 1)

	code := make(chan int)
	go func() { code <- run("plan", "wait", driftPlan, "--timeout", "1m") }()
	plan.Status.Phase = infrav1.PlanPhaseApproved
	require.NoError(t, admin.Status().Update(t.Context(), &plan))
	assert.Equal(t, 0, <-code, program.err.String())
}
