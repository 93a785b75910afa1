package installation

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// checkedOften lets the manager compare the machines of a cluster with Prism Central every minute.
var checkedOften = &infrav1.TerraformDrift{IntervalSeconds: ptr.To[int32](60)}

// Somebody adds memory to a running VM. The plan that removes it waits. A plan file that was edited and a state that was changed lead to
// a new plan of the same change, so that the decision about the change remains valid, and the change is applied once. The same drift waits
// again, also while the manager is restarted.
func TestDriftOfRunningVMIsRevertedOnce_AfterApproval(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "drifted", &infrav1.TerraformSpec{Drift: checkedOften})
	approver := c.approver()
	c.createMachine("drifted-a", nil)
	uuid := c.waitForReady("drifted-a", "").UUID
	created := c.waitForPlan("the plan that creates the machine", target("NutanixMachine", "drifted-a", infrav1.PlanPhaseApplied))
	assert.Empty(t, created.Status.DecidedBy, "in the default mode a create needs no decision")
	c.requireNoPlanFiles()

	c.addMemory(uuid)
	first := c.waitForDrift("drifted-a")
	assert.Equal(t, infrav1.PlanDisruptionPowerCycle, first.Spec.Disruption)
	restartManager(t, func() { c.editPlanFile(first, flipByte(1, 2)) })
	superseded := c.waitForPhase(first, infrav1.PlanPhaseSuperseded)
	assert.Contains(t, superseded.Status.Message, "the plan file differs")
	second := c.waitForDrift("drifted-a")
	assert.Equal(t, first.Spec.ChangeDigest, second.Spec.ChangeDigest)
	require.Empty(t, putsOf(uuid))

	c.changeState("drifted-a")
	decision := c.approve(approver, c.Namespace, "first", changeOf(second))
	superseded = c.waitForPhase(second, infrav1.PlanPhaseSuperseded)
	assert.Contains(t, superseded.Status.Message, "the state differs")
	third := c.waitForPlan("the drift to be reverted", driftOf("drifted-a", infrav1.PlanPhaseApplied))
	assert.Equal(t, first.Spec.ChangeDigest, third.Spec.ChangeDigest)
	assert.Equal(t, []string{"first"}, third.Status.Decisions)
	assert.EqualValues(t, 4096, vmsOf("drifted-a")[0].MemoryMiB)
	applied := len(putsOf(uuid))
	require.Positive(t, applied)
	uses := c.usesOf(decision)
	require.Len(t, uses, 1)
	assert.Equal(t, client.ObjectKeyFromObject(&third).String(), uses[0].Plan)
	c.waitForCondition("drifted-a", infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.NoChangesReason)
	c.requireNoPlanFiles()

	c.addMemory(uuid)
	fourth := c.waitForDrift("drifted-a")
	assert.Equal(t, first.Spec.ChangeDigest, fourth.Spec.ChangeDigest)
	restartManager(t, func() {})
	assert.Len(t, putsOf(uuid), applied, "the decision was used")
	c.approve(approver, c.Namespace, "second", changeOf(fourth))
	assert.Equal(t, []string{"second"}, c.waitForPhase(fourth, infrav1.PlanPhaseApplied).Status.Decisions)
	assert.Len(t, putsOf(uuid), 2*applied)
	c.killWhileApplying("drifted-a", uuid)
	c.deleteCluster()
	assert.Empty(t, c.vms())
	c.requireNoPlanFiles()
}

// killWhileApplying kills the manager while it applies a plan. The plan fails, and nothing is applied twice.
func (c *cluster) killWhileApplying(name, uuid string) {
	c.t.Helper()
	before := len(putsOf(uuid))
	release := c.hold(prismsim.Fault{Method: http.MethodPut, Path: "/vms/" + uuid + "$"})
	c.editCategory(name, "Staging")
	c.waitForHeldRequest()
	plan := c.waitForPlan("the edit to be applied", target("NutanixMachine", name, infrav1.PlanPhaseApplying))
	restartManager(c.t, release)
	failed := c.waitForPhase(plan, infrav1.PlanPhaseFailed)
	assert.Contains(c.t, failed.Status.Message, "the manager ended while it applied the plan")
	c.waitForReady(name, "Staging")
	c.waitForCondition(name, infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.NoChangesReason)
	assert.Len(c.t, putsOf(uuid), before+1)
	c.requireNoPlanFiles()
}

// driftOf matches the plans that revert drift of a machine.
func driftOf(machine string, phase infrav1.PlanPhase) planMatch {
	return func(plan infrav1.NutanixPlan) bool {
		return plan.Spec.Cause == infrav1.PlanCauseDrift && target("NutanixMachine", machine, phase)(plan)
	}
}

// waitForDrift waits until a plan that reverts drift of a machine waits. It requires that the machine is Ready and the plan file is stored.
func (c *cluster) waitForDrift(machine string) infrav1.NutanixPlan {
	c.t.Helper()
	plan := c.waitForPlan("the drift to wait for a decision", driftOf(machine, infrav1.PlanPhaseWaiting))
	c.waitForCondition(machine, infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.DisruptivePlanReason)
	require.True(c.t, conditions.IsTrue(c.machine(machine), infrav1.ReadyCondition))
	files := c.planFiles(c.Namespace)
	require.Len(c.t, files, 1)
	require.Equal(c.t, plan.Spec.File.SecretName, files[0].Name)
	c.requireSmallPlans()
	return plan
}

// addMemory adds memory to a VM as a user of Prism Central does.
func (c *cluster) addMemory(uuid string) {
	c.t.Helper()
	require.NoError(c.t, testStack.Prism.ChangeVM(uuid, prismsim.VMChange{MemoryMiB: ptr.To[int64](8192)}))
}

// changeState increments the serial of a machine's state, as another writer of the state does.
func (c *cluster) changeState(machine string) {
	c.t.Helper()
	list := &corev1.SecretList{}
	require.NoError(c.t, c.client.List(c.ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels{"tfstate": "true"}))
	suffix := c.machine(machine).Annotations[infrav1.StateSuffixAnnotation]
	for _, secret := range list.Items {
		if !strings.HasSuffix(secret.Name, suffix) {
			continue
		}
		reader, err := gzip.NewReader(bytes.NewReader(secret.Data["tfstate"]))
		require.NoError(c.t, err)
		state := map[string]any{}
		require.NoError(c.t, json.NewDecoder(reader).Decode(&state))
		serial, ok := state["serial"].(float64)
		require.True(c.t, ok)
		state["serial"] = serial + 1
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		require.NoError(c.t, json.NewEncoder(writer).Encode(state))
		require.NoError(c.t, writer.Close())
		secret.Data["tfstate"] = packed.Bytes()
		require.NoError(c.t, c.client.Update(c.ctx, &secret))
		return
	}
	require.Fail(c.t, "no state", "of %s with suffix %s", machine, suffix)
}

// putsOf returns the paths of the requests that update a VM.
func putsOf(uuid string) []string {
	var puts []string
	for _, request := range testStack.Prism.Requests() {
		if request.Method == http.MethodPut && strings.HasSuffix(request.Path, "/vms/"+uuid) {
			puts = append(puts, request.Path)
		}
	}
	return puts
}
