package installation

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/audit"
)

// belongsTo matches the objects whose name begins with the name of a machine, as those of its plans do.
func belongsTo(object *unstructured.Unstructured, machine string) bool {
	return strings.HasPrefix(object.GetName(), machine+"-")
}

// planCreated is the write that records a plan of a machine.
func planCreated(machine string) write {
	return write{admissionv1.Create, "nutanixplans", func(object *unstructured.Unstructured) bool { return belongsTo(object, machine) }}
}

// fileWritten is the write that stores or removes the file of a plan of a machine.
func fileWritten(operation admissionv1.Operation, machine string) write {
	return write{operation, "secrets", func(object *unstructured.Unstructured) bool {
		_, isFile := object.GetLabels()[infrav1.PlanFileLabel]
		return isFile && belongsTo(object, machine)
	}}
}

// phaseWritten is the write with which a plan of a machine enters a phase.
func phaseWritten(machine string, phase infrav1.PlanPhase) write {
	return write{admissionv1.Update, "nutanixplans/status", func(object *unstructured.Unstructured) bool {
		present, _, _ := unstructured.NestedString(object.Object, "status", "phase")
		return belongsTo(object, machine) && present == string(phase)
	}}
}

// decisionAudited is the write that removes the finalizer of a decision after it was recorded in the audit trail.
func decisionAudited(decision string) write {
	return write{admissionv1.Update, "nutanixplandecisions", func(object *unstructured.Unstructured) bool {
		return object.GetName() == decision && len(object.GetFinalizers()) == 0
	}}
}

// decisionUsed is the write that records the use of a decision or, if applied is true, that the plan was applied.
func decisionUsed(decision string, applied bool) write {
	return write{admissionv1.Update, "nutanixplandecisions/status", func(object *unstructured.Unstructured) bool {
		uses, _, _ := unstructured.NestedSlice(object.Object, "status", "uses")
		if object.GetName() != decision || len(uses) != 1 {
			return false
		}
		use, _ := uses[0].(map[string]any)
		return (use["appliedTime"] != nil) == applied
	}}
}

// headWritten is the write that acknowledges a record of one kind about a machine. The record is already in the audit log.
func headWritten(t *testing.T, kind audit.Kind, machine string) write {
	return write{admissionv1.Update, "configmaps", func(object *unstructured.Unstructured) bool {
		records := auditRecords(t, auditLog())
		last := records[len(records)-1]
		return object.GetName() == audit.HeadName && last.Kind == kind && last.Target.Name == machine
	}}
}

// The manager is killed before each write of the life of a plan: while it plans, while it decides, while it applies, and after the apply. A
// killed manager leaves no change without a record. The next manager applies each change once, with one use of its decision, and each plan
// enters one final phase. The audit log remains a whole chain.
func TestManagerIsKilledAtEachPhase(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "killed", &infrav1.TerraformSpec{
		Approval: &infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways},
	})
	k := &killing{cluster: c, gate: c.newGate(), approver: c.approver(), phases: c.watchPhases(),
		decisions: map[string]*infrav1.NutanixPlanDecision{}}
	restartManager(t, func() {}, manyRuns)
	t.Cleanup(func() { restartManager(t, func() {}) })
	cluster := c.waitForPlan("the plan of the cluster to wait", target("NutanixCluster", c.Name, infrav1.PlanPhaseWaiting))
	c.approve(k.approver, c.Namespace, "cluster", changeOf(cluster))
	c.waitForPhase(cluster, infrav1.PlanPhaseApplied)

	k.whilePlanning()
	k.whileDeciding()
	k.whileApplying()
	k.requireEachAppliedOnce()
	requireAuditVerified(t)
	c.patch(&infrav1.NutanixCluster{}, c.Name, `{"spec":{"terraform":{"approval":null}}}`)
	c.deleteCluster()
	assert.Empty(t, c.vms())
	k.requireOneFinalPhase()
	requireAuditVerified(t)
}

// manyRuns is a flag of a manager with memory for many runs, so that runs of other machines do not wait for a held run.
const manyRuns = "--run-memory=2000"

// killing is a test that kills the manager.
type killing struct {
	*cluster
	gate     *gate
	approver client.Client
	phases   func() map[string][]infrav1.PlanPhase
	// decisions contains the decision about the creation of each machine.
	decisions map[string]*infrav1.NutanixPlanDecision
	machines  []string
}

// kill kills the manager when the gate holds all writes, and starts it again. While no manager runs, nobody can decide.
func (k *killing) kill(between ...func()) {
	k.t.Helper()
	k.waitUntilHeld(k.gate)
	restartManager(k.t, func() {
		err := k.approver.Create(k.ctx, newDecision(k.Namespace, "unattended", infrav1.NutanixPlanDecisionSpec{
			Changes: []string{"sha256:" + strings.Repeat("0", 64)}}))
		require.True(k.t, apierrors.IsInternalError(err), "%v", err)
		k.gate.refuse()
		for _, do := range between {
			do()
		}
	}, manyRuns)
}

// create creates machines.
func (k *killing) create(machines ...string) {
	k.t.Helper()
	for _, machine := range machines {
		k.createMachine(machine, nil)
	}
	k.machines = append(k.machines, machines...)
}

// approveCreates waits until the creations of machines wait, and approves each of them with a decision of the name of the machine.
func (k *killing) approveCreates(machines ...string) {
	k.t.Helper()
	for _, machine := range machines {
		plan := k.waitForPlan("the creation of "+machine+" to wait", target("NutanixMachine", machine, infrav1.PlanPhaseWaiting))
		k.decisions[machine] = k.approve(k.approver, k.Namespace, machine, changeOf(plan))
	}
}

func (k *killing) waitUntilReady(machines ...string) {
	k.t.Helper()
	for _, machine := range machines {
		k.waitForReady(machine, "")
	}
}

// planOf returns the only plan of a machine.
func (k *killing) planOf(machine string) infrav1.NutanixPlan {
	k.t.Helper()
	plans := k.plans(target("NutanixMachine", machine))
	require.Len(k.t, plans, 1, machine)
	return plans[0]
}

// whilePlanning kills the manager before a plan is recorded, before its file is stored, and before it waits.
func (k *killing) whilePlanning() {
	k.t.Helper()
	k.gate.hold(planCreated("killed-record"))
	k.gate.hold(fileWritten(admissionv1.Create, "killed-file"))
	k.gate.hold(phaseWritten("killed-waiting", infrav1.PlanPhaseWaiting))
	k.create("killed-record", "killed-file", "killed-waiting")
	k.waitUntilHeld(k.gate)
	assert.Empty(k.t, k.plans(target("NutanixMachine", "killed-record")))
	withoutFile, recorded := k.planOf("killed-file"), k.planOf("killed-waiting")
	k.kill()
	k.approveCreates("killed-record", "killed-file", "killed-waiting")
	k.waitUntilReady("killed-record", "killed-file", "killed-waiting")
	assert.Contains(k.t, k.waitForPhase(withoutFile, infrav1.PlanPhaseSuperseded).Status.Message, "the manager restarted")
	assert.Equal(k.t, recorded.UID, k.planOf("killed-waiting").UID, "its file was stored")
}

// whileDeciding kills the manager after it has recorded a decision in the audit trail, before it claims the decision, between the claim and
// the record in the audit trail that the apply begins, before this record is acknowledged, and before the plan is Applying.
func (k *killing) whileDeciding() {
	k.t.Helper()
	machines := []string{"killed-decision", "killed-claim", "killed-begin", "killed-head"}
	k.create(machines...)
	k.gate.hold(decisionAudited("killed-decision"))
	k.gate.hold(phaseWritten("killed-decision", infrav1.PlanPhaseApproved))
	k.gate.hold(decisionUsed("killed-claim", false))
	k.gate.hold(phaseWritten("killed-begin", infrav1.PlanPhaseApplying))
	k.approveCreates(machines[:3]...)
	k.waitUntilHeld(k.gate)
	assert.Empty(k.t, k.usesOf(k.decisions["killed-claim"]))
	assert.Len(k.t, k.usesOf(k.decisions["killed-begin"]), 1)
	k.gate.hold(headWritten(k.t, audit.Apply, "killed-head")) // last, because no further record is acknowledged while it is held
	k.approveCreates(machines[3:]...)
	k.kill()
	k.waitUntilReady(machines...)
	for _, machine := range machines {
		assert.Equal(k.t, infrav1.PlanPhaseApplied, k.planOf(machine).Status.Phase, machine)
	}
}

// whileApplying kills the manager while Prism Central creates a VM, and after an apply: before the decision is used up, before the plan file
// is removed, and before the plan is Applied. In mode Always the import of a VM that an interrupted apply has created waits, too.
func (k *killing) whileApplying() {
	k.t.Helper()
	machines := []string{"killed-create", "killed-complete", "killed-remove", "killed-applied"}
	release := k.hold(prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Contains: `"name":"killed-create"`})
	k.gate.hold(decisionUsed("killed-complete", true))
	k.gate.hold(fileWritten(admissionv1.Delete, "killed-remove"))
	k.gate.hold(phaseWritten("killed-applied", infrav1.PlanPhaseApplied))
	k.create(machines...)
	k.approveCreates(machines...)
	k.waitForHeldRequest()
	k.waitUntilHeld(k.gate)
	var applying []infrav1.NutanixPlan
	for _, machine := range machines {
		applying = append(applying, k.planOf(machine))
		assert.Equal(k.t, infrav1.PlanPhaseApplying, k.planOf(machine).Status.Phase, machine)
	}
	k.kill(release)
	for _, plan := range applying {
		failed := k.waitForPhase(plan, infrav1.PlanPhaseFailed)
		assert.Contains(k.t, failed.Status.Message, "the manager ended while it applied the plan")
	}
	found := k.waitForPlan("the import of the created VM to wait", machinePlans(infrav1.PlanCauseImport, infrav1.PlanPhaseWaiting))
	assert.Equal(k.t, "killed-create", found.Spec.Target.Name)
	k.approve(k.approver, k.Namespace, "import", changeOf(found))
	k.waitUntilReady(machines...)
}

// requireEachAppliedOnce requires that each machine was created once, after a record of the apply, with one use of its decision.
func (k *killing) requireEachAppliedOnce() {
	k.t.Helper()
	for _, machine := range k.machines {
		k.waitForCondition(machine, infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.NoChangesReason)
		creates := acceptedCreates(machine)
		require.Len(k.t, creates, 1, machine)
		records := auditRecords(k.t, auditLog())
		apply := slices.IndexFunc(records, func(r audit.Record) bool { return r.Kind == audit.Apply && r.Target.Name == machine })
		require.GreaterOrEqual(k.t, apply, 0, machine)
		assert.False(k.t, records[apply].Time.After(creates[0].Time), machine)
		k.waitFor("the decision about "+machine+" to be used up", func() (bool, string) {
			uses := k.usesOf(k.decisions[machine])
			require.Len(k.t, uses, 1, machine)
			return uses[0].AppliedTime != nil, ""
		})
	}
	k.requireNoPlanFiles()
}

// requireOneFinalPhase requires that each plan entered one final phase, which was its last, and that each applied plan was Applying before.
func (k *killing) requireOneFinalPhase() {
	k.t.Helper()
	k.waitFor("the watch to report a final phase of each plan", func() (bool, string) {
		for name, phases := range k.phases() {
			if !slices.ContainsFunc(phases, infrav1.PlanPhase.Final) {
				return false, name
			}
		}
		return true, ""
	})
	for name, phases := range k.phases() {
		final := slices.IndexFunc(phases, infrav1.PlanPhase.Final)
		assert.Equal(k.t, len(phases)-1, final, "%s: %v", name, phases)
		applying := slices.Index(phases, infrav1.PlanPhaseApplying)
		hasEnded := phases[final] == infrav1.PlanPhaseApplied || phases[final] == infrav1.PlanPhaseFailed
		assert.Equal(k.t, hasEnded, applying >= 0 && applying == final-1, "%s: %v", name, phases)
	}
}

// watchPhases returns a function that returns the phases that each plan in the namespace of the cluster has entered since, by name.
func (c *cluster) watchPhases() func() map[string][]infrav1.PlanPhase {
	c.t.Helper()
	watcher, err := testStack.Env.Client.Watch(c.ctx, &infrav1.NutanixPlanList{}, client.InNamespace(c.Namespace))
	require.NoError(c.t, err)
	c.t.Cleanup(watcher.Stop)
	var mu sync.Mutex
	phases := map[string][]infrav1.PlanPhase{}
	go func() {
		for event := range watcher.ResultChan() {
			plan, isPlan := event.Object.(*infrav1.NutanixPlan)
			if !isPlan || event.Type == watch.Deleted {
				continue
			}
			mu.Lock()
			if seen := phases[plan.Name]; len(seen) == 0 || seen[len(seen)-1] != plan.Status.Phase {
				phases[plan.Name] = append(seen, plan.Status.Phase)
			}
			mu.Unlock()
		}
	}()
	return func() map[string][]infrav1.PlanPhase {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(phases)
	}
}
