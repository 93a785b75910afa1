package scenario

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/renderer"
)

// Plans that wait, are superseded because the bootstrap data changed, fail with an error that contains secrets, are applied, and revert drift
// contain no secrets; neither does anything that is derived from them. At the end the search finds values that must be found.
func TestPlansContainNoSecrets(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "secretive")
	c.Workers = 1
	c.apply()
	c.complete()
	c.checkOften()
	running := c.workers()[0]
	c.requireApprovalOfCreations()
	c.scaleWorkers(`2`)
	waiting := c.waitForPlan("the creation of a worker to wait", infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting)
	userData, planted := c.changeBootstrapData(waiting)

	encoded := base64.StdEncoding.EncodeToString([]byte(userData))
	fault, err := testStack.Prism.Faults().Set(prismsim.Fault{
		Method: http.MethodPost, Path: "/vms$", Contains: `"name":"` + waiting.Spec.Target.Name, Times: 1,
		TaskError: fmt.Sprintf("INTERNAL_ERROR: admin:%s may not create a VM with %s (%s...): error in line # %s, authorization Basic %s",
			password, encoded, encoded[len(encoded)/2:len(encoded)*3/4], planted, base64.StdEncoding.EncodeToString([]byte("admin:"+password))),
	})
	require.NoError(t, err)
	t.Cleanup(func() { testStack.Prism.Faults().Clear(fault) })
	output, code := c.capnt("plan", "approve", waiting.Name, "--reason", "CHG-4711", "--yes", "--as", "platform-admin", "--as-group", "system:masters")
	require.Zero(t, code, output)
	superseded := c.waitForPlan("the plan with the earlier bootstrap data to be superseded", infrav1.PlanCauseCreate, infrav1.PlanPhaseSuperseded)
	assert.Equal(t, waiting.UID, superseded.UID)
	assert.Contains(t, superseded.Status.Message, "fingerprint of the sensitive variables")
	failed := c.waitForPlan("the apply to fail", infrav1.PlanCauseCreate, infrav1.PlanPhaseFailed)
	assert.Equal(t, waiting.Spec.ChangeDigest, failed.Spec.ChangeDigest)
	assert.Contains(t, failed.Status.Message, "admin:(redacted) may not create a VM with (redacted) ((redacted)...): error in line (redacted), "+
		"authorization Basic (redacted)")
	c.complete()

	require.NoError(t, testStack.Prism.ChangeVM(running.Status.VMUUID, prismsim.VMChange{MemoryMiB: ptr.To[int64](8192)}))
	c.waitForPlan("the drift to wait", infrav1.PlanCauseDrift, infrav1.PlanPhaseWaiting)
	assertNoSecretLeaks(t)
	texts := publicTexts(t)
	c.addShown(texts)
	assert.Empty(t, placesOf(texts, append(bootstrapSecrets(t), password, planted)...), "a secret is in these places")
	c.requireSearchFinds(waiting, texts)
}

// requireSearchFinds requires that the search finds the name of a machine in everything that names the machine, and a secret that somebody
// has put where it must not be.
func (c *cluster) requireSearchFinds(plan infrav1.NutanixPlan, texts map[string]string) {
	c.t.Helper()
	target := plan.Spec.Target
	places := placesOf(texts, target.Name)
	for _, place := range []string{
		"the log /" + auditLog, "the log /management/capnt-manager.log", "NutanixMachine " + target.Namespace + "/" + target.Name,
		"NutanixPlan " + plan.Namespace + "/" + plan.Name, "plan show " + plan.Name + " -o json", "plan show " + plan.Name + " -o yaml",
		"plan show " + plan.Name + " -o tfjson", "plan show " + plan.Name, "plan diff " + plan.Name, "plan list -o wide",
	} {
		assert.Contains(c.t, places, place)
	}
	assert.True(c.t, slices.ContainsFunc(places, func(place string) bool { return strings.HasPrefix(place, "Event ") }), places)
	assert.Equal(c.t, []string{"the metrics"}, placesOf(texts, `capnt_plans_waiting{`))

	secret := rand.Text()
	encoded := base64.StdEncoding.EncodeToString(packed(c.t, base64.StdEncoding.EncodeToString([]byte("admin:"+secret))))
	require.NoError(c.t, testStack.Env.Client.Create(c.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "leak"}, Data: map[string]string{"user_data": encoded},
	}))
	require.NoError(c.t, testStack.Env.Client.Create(c.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "leak"}, Data: map[string][]byte{"tfstate": packed(c.t, secret)},
	}))
	c.patch(&infrav1.NutanixMachine{}, target.Name, `{"metadata":{"annotations":{"leak":"`+secret+`"}}}`)
	assert.Equal(c.t, []string{
		"ConfigMap " + c.Namespace + "/leak", "NutanixMachine " + c.Namespace + "/" + target.Name, "Secret " + c.Namespace + "/leak tfstate",
	}, placesOf(publicTexts(c.t), secret))
}

// requireApprovalOfCreations creates a policy with which new machines wait for an approval.
func (c *cluster) requireApprovalOfCreations() {
	c.t.Helper()
	require.NoError(c.t, testStack.Env.Client.Create(c.ctx, &infrav1.NutanixPlanPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "creations"},
		Spec: infrav1.NutanixPlanPolicySpec{
			Match: infrav1.PolicyMatch{Kinds: []string{"NutanixMachine"}},
			Rules: []infrav1.PolicyRule{{Name: "rule", Expression: "plan.cause != 'Create'", Verdict: infrav1.PolicyVerdictRequireApproval}},
		},
	}))
}

// waitForPlan waits until exactly one plan of the cluster has the cause and is in the phase, and returns this plan.
func (c *cluster) waitForPlan(what string, cause infrav1.PlanCause, phase infrav1.PlanPhase) infrav1.NutanixPlan {
	c.t.Helper()
	var found []infrav1.NutanixPlan
	c.must(testStack.Env.Wait(c.ctx, what, func(context.Context) (bool, string, error) {
		found = nil
		var seen []string
		for _, plan := range c.plans() {
			seen = append(seen, fmt.Sprintf("%s %s %s %s", plan.Name, plan.Spec.Cause, plan.Status.Phase, plan.Status.Message))
			if plan.Spec.Cause == cause && plan.Status.Phase == phase {
				found = append(found, plan)
			}
		}
		return len(found) == 1, strings.Join(seen, ", "), nil
	}))
	return found[0]
}

func (c *cluster) plans() []infrav1.NutanixPlan {
	c.t.Helper()
	list := &infrav1.NutanixPlanList{}
	require.NoError(c.t, testStack.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	return list.Items
}

// changeBootstrapData adds a comment to the bootstrap data of the machine that a plan creates. It returns the user data of the VM and the text
// of the comment.
func (c *cluster) changeBootstrapData(plan infrav1.NutanixPlan) (userData, comment string) {
	c.t.Helper()
	object := &infrav1.NutanixMachine{}
	require.NoError(c.t, testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, plan.Spec.Target.Name), object))
	machine := &clusterv1.Machine{}
	require.NoError(c.t, testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, object.OwnerReferences[0].Name), machine))
	require.NotNil(c.t, machine.Spec.Bootstrap.DataSecretName)
	secret := &corev1.Secret{}
	require.NoError(c.t, testStack.Env.Client.Get(c.ctx, keyOf(c.Namespace, *machine.Spec.Bootstrap.DataSecretName), secret))
	comment = rand.Text()
	secret.Data["value"] = append(secret.Data["value"], "\n# "+comment+"\n"...)
	require.NoError(c.t, testStack.Env.Client.Update(c.ctx, secret))
	return string(renderer.UserData(secret.Data["value"], plan.Spec.Target.Name)), comment
}

// capnt runs the command line program in the namespace of the cluster. It returns the output and the exit code.
func (c *cluster) capnt(arguments ...string) (output string, code int) {
	c.t.Helper()
	arguments = append(arguments, "--kubeconfig", testStack.Env.Kubeconfig(), "--namespace", c.Namespace)
	content, err := exec.CommandContext(c.ctx, testStack.Tool("bin/capnt"), arguments...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(c.t, err)
		return string(content), 0
	}
	return string(content), exit.ExitCode()
}

// addShown adds what the command line program prints about the plans of the cluster.
func (c *cluster) addShown(texts map[string]string) {
	c.t.Helper()
	add := func(arguments ...string) {
		output, code := c.capnt(arguments...)
		require.LessOrEqual(c.t, code, 1, output)
		texts[strings.Join(arguments, " ")] = output
	}
	for _, plan := range c.plans() {
		add("plan", "show", plan.Name)
		add("plan", "diff", plan.Name)
		for _, format := range []string{"json", "yaml", "tfjson"} {
			add("plan", "show", plan.Name, "-o", format)
		}
	}
	add("plan", "list", "-o", "wide")
	add("plan", "list", "-o", "yaml")
}
