package installation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
)

// alwaysApprove lets every plan of a cluster wait.
func alwaysApprove(required int32) *infrav1.TerraformSpec {
	return &infrav1.TerraformSpec{Approval: &infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways, RequiredApprovals: required}}
}

// Flux applies the manifests of a cluster in mode Always and the decisions about its plans from one Git repository. Decisions that are
// committed before or after the plan decide it, each change is applied once, and Flux changes nothing after that.
func TestDecisionsAndManifestsInOneGitRepository(t *testing.T) {
	c := describeCluster(t, testStack.Env.Client, "gitops", alwaysApprove(1))
	f := startFlux(c)
	objects := c.Objects()
	c.create(objects[:3]...)
	machine, owner := c.Machine("gitops-a")
	template, deployment := c.workers("gitops-workers", 3)
	deployment.Spec.Rollout.Strategy.Type = clusterv1.OnDeleteMachineDeploymentStrategyType
	created := f.repository.commit("Create the cluster", map[string]string{
		"cluster.yaml": c.manifest(objects[3:]...), "machine.yaml": c.manifest(machine, owner), "workers.yaml": c.manifest(template, deployment),
	})
	f.follow()
	f.waitForRevision(created)

	plan := c.waitForPlan("the plan of the cluster to wait", target("NutanixCluster", c.Name, infrav1.PlanPhaseWaiting))
	assert.Equal(t, created, plan.Spec.Origin.Revision)
	assert.Empty(t, plan.Spec.Origin.Author)
	f.push("Approve the cluster", map[string]string{"decision-cluster.yaml": f.decide(plan.Name)})
	assert.Equal(t, []string{fluxAccount}, c.waitForPhase(plan, infrav1.PlanPhaseApplied).Status.DecidedBy)

	f.approveMachines()
	f.oneMoreMachineWaits(deployment)
	f.settles()
	f.editsAreDecided(machine, owner)
	f.removedDecisionIsRevoked(machine, owner)
	f.isAudited()
	f.deletesCluster()
}

// approveMachines commits a decision by change for one machine, and one by class for the machines of the MachineDeployment.
func (f *flux) approveMachines() {
	f.t.Helper()
	waiting := f.waitForPlans("the plans of the machines to wait", 4, machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting))
	i := slices.IndexFunc(waiting, func(plan infrav1.NutanixPlan) bool { return plan.Spec.Target.Name == "gitops-a" })
	require.GreaterOrEqual(f.t, i, 0)
	class := waiting[(i+1)%len(waiting)].Spec.ClassDigest
	f.push("Approve the machines", map[string]string{
		"decision-machine.yaml": f.decide(waiting[i].Name),
		"decision-rollout.yaml": f.decide("--class="+class, "--max-uses=4"),
	})
	f.waitForPlans("the machines to be created", 4, machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseApplied))
	assert.Len(f.t, f.vms(), 4)
	assert.Len(f.t, f.usesOf(f.rollout()), 3, "of 4")
}

// oneMoreMachineWaits scales the MachineDeployment. The new machine has more memory, so the decision about the others does not cover it.
func (f *flux) oneMoreMachineWaits(deployment *clusterv1.MachineDeployment) {
	f.t.Helper()
	larger, scaled := f.workers("gitops-larger", 4)
	larger.Spec.Template.Spec.MemorySize = resource.MustParse("8Gi")
	scaled.Spec.Rollout = deployment.Spec.Rollout
	f.push("Add a larger machine", map[string]string{"larger.yaml": f.manifest(larger), "workers.yaml": f.manifest(f.template(), scaled)})
	differs := f.waitForPlan("the larger machine to wait", machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting))
	created := f.plans(machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseApplied))
	require.Len(f.t, created, 4)
	for _, plan := range created {
		assert.NotEqual(f.t, plan.Spec.ClassDigest, differs.Spec.ClassDigest)
	}
	assert.Equal(f.t, "MachineDeployment/gitops-workers", differs.Spec.Origin.Owner)
	assert.Empty(f.t, differs.Spec.Origin.Author)
	assert.Len(f.t, f.usesOf(f.rollout()), 3, "of 4")
	assert.Len(f.t, f.vms(), 4)
}

// template returns the template of the workers as it is committed.
func (f *flux) template() *infrav1.NutanixMachineTemplate {
	template, _ := f.workers("gitops-workers", 0)
	return template
}

// settles requires that Flux changes nothing when it applies the same revision again, and that plans and decisions stay as they are once the
// decisions are recorded in the audit trail and their uses are completed.
func (f *flux) settles() {
	f.t.Helper()
	f.waitFor("the decisions and their uses to be recorded", func() (bool, string) {
		open := slices.DeleteFunc(f.decisions(), func(decision infrav1.NutanixPlanDecision) bool {
			pending := func(use infrav1.PlanDecisionUse) bool { return use.AppliedTime == nil }
			return len(decision.Finalizers) == 0 && !slices.ContainsFunc(decision.Status.Uses, pending)
		})
		return len(open) == 0, fmt.Sprint(len(open))
	})
	before, applies := f.snapshot(), len(f.applies())
	for range 3 {
		f.reconcile()
	}
	f.requireUnchanged(applies)
	assert.Equal(f.t, before, f.snapshot())
}

// snapshot returns the resource versions and the specs of the plans and decisions of the cluster.
func (f *flux) snapshot() map[string]any {
	f.t.Helper()
	found := map[string]any{}
	for _, plan := range f.plans(func(infrav1.NutanixPlan) bool { return true }) {
		found["plan "+plan.Name] = []any{plan.ResourceVersion, plan.Spec}
	}
	for _, decision := range f.decisions() {
		found["decision "+decision.Name] = []any{decision.ResourceVersion, decision.Spec}
	}
	return found
}

// editsAreDecided edits a machine. The decision about the edit is committed before the plan exists. An unrelated commit and a restart of the
// manager do not invalidate it. Another edit of the same field is not covered.
func (f *flux) editsAreDecided(machine *infrav1.NutanixMachine, owner *clusterv1.Machine) {
	f.t.Helper()
	edited := f.push("Move the machine to Staging", f.edit(machine, owner, "Staging"))
	first := f.waitForPlan("the edit to wait", target("NutanixMachine", machine.Name, infrav1.PlanPhaseWaiting))
	assert.Equal(f.t, edited, first.Spec.Origin.Revision)
	f.push("Revert the machine", f.edit(machine, owner, ""))
	f.waitForPhase(first, infrav1.PlanPhaseSuperseded)
	decision := newDecision(f.Namespace, "early", changeOf(first))
	decision.Spec.MaxUses = ptr.To[int32](2)
	f.push("Approve the move to Staging", map[string]string{"decision-early.yaml": f.manifest(decision)})
	f.push("Change something else", map[string]string{"settings.yaml": f.manifest(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: "settings"},
	})})
	restartManager(f.t, func() {})
	f.push("Move the machine to Staging again", f.edit(machine, owner, "Staging"))
	f.waitForReady(machine.Name, "Staging")
	applied := f.waitForPlan("the edit to be applied", updateOf(machine, infrav1.PlanPhaseApplied))
	assert.NotEqual(f.t, first.UID, applied.UID)
	assert.Equal(f.t, first.Spec.ChangeDigest, applied.Spec.ChangeDigest)
	assert.Equal(f.t, []string{"early"}, applied.Status.Decisions)

	f.push("Move the machine to Production", f.edit(machine, owner, "Production"))
	other := f.waitForPlan("the other edit to wait", updateOf(machine, infrav1.PlanPhaseWaiting))
	assert.NotEqual(f.t, first.Spec.ChangeDigest, other.Spec.ChangeDigest)
	assert.Len(f.t, f.usesOf(decision), 1)
}

// removedDecisionIsRevoked commits a decision, removes it, and lets a plan wait that the decision would have approved. Two decisions from
// Git are one approval of two. A user gives the other one.
func (f *flux) removedDecisionIsRevoked(machine *infrav1.NutanixMachine, owner *clusterv1.Machine) {
	f.t.Helper()
	other := f.waitForPlan("the other edit to wait", updateOf(machine, infrav1.PlanPhaseWaiting))
	f.push("Stay in Staging", f.edit(machine, owner, "Staging"))
	f.waitForPhase(other, infrav1.PlanPhaseSuperseded)
	revoked := newDecision(f.Namespace, "revoked", changeOf(other))
	f.push("Approve the move to Production", map[string]string{"decision-revoked.yaml": f.manifest(revoked)})
	require.Empty(f.t, f.usesOf(revoked))
	f.push("Revoke the approval", map[string]string{"decision-revoked.yaml": ""})
	require.NoError(f.t, testStack.Env.WaitForGone(f.ctx, revoked))
	f.push("Move the machine to Production again", f.edit(machine, owner, "Production"))
	waiting := f.waitForPlan("the edit to wait after the revocation", updateOf(machine, infrav1.PlanPhaseWaiting))
	assert.Equal(f.t, other.Spec.ChangeDigest, waiting.Spec.ChangeDigest)

	two := newDecision(f.Namespace, "two", changeOf(other))
	f.push("Require two approvals", map[string]string{"cluster.yaml": f.clusterManifest(alwaysApprove(2))})
	f.waitForApprovals(waiting, "2 of 2 approvals")
	f.push("Approve twice", map[string]string{
		"decision-one.yaml": f.manifest(newDecision(f.Namespace, "one", changeOf(other))), "decision-two.yaml": f.manifest(two),
	})
	f.waitForApprovals(waiting, "1 of 2 approvals")
	f.approve(f.approver(), f.Namespace, "user", changeOf(other))
	applied := f.waitForPhase(waiting, infrav1.PlanPhaseApplied)
	assert.Equal(f.t, []string{"approver", fluxAccount}, applied.Status.DecidedBy)
	f.waitForReady(machine.Name, "Production")
	assert.Empty(f.t, f.usesOf(two))
}

// waitForApprovals waits until a plan waits for this number of approvals.
func (f *flux) waitForApprovals(plan infrav1.NutanixPlan, approvals string) {
	f.t.Helper()
	f.waitForPlan("the plan to wait for "+approvals, func(other infrav1.NutanixPlan) bool {
		return other.UID == plan.UID && len(other.Status.WaitingFor) > 0 && strings.HasPrefix(other.Status.WaitingFor[0], approvals)
	})
}

// isAudited requires that the audit trail contains each decision once, with the account of Flux, one apply for each plan, and the revisions.
func (f *flux) isAudited() {
	f.t.Helper()
	f.settles()
	decided, applied := map[string]int{}, map[string]int{}
	for _, record := range auditRecords(f.t, auditLog()) {
		name, isDecision := strings.CutPrefix(record.Source, "NutanixPlanDecision/"+f.Namespace+"/")
		if record.Target.Namespace != f.Namespace && !isDecision || name == "user" {
			continue
		}
		assert.Regexp(f.t, "^main@sha1:[0-9a-f]{40}$", record.Revision, "%s of %s%s", record.Kind, record.Plan, record.Source)
		if isDecision {
			decided[name]++
			assert.Equal(f.t, fluxAccount, record.By.Username)
		}
		if record.Kind == audit.Apply {
			applied[record.Plan]++
		}
	}
	for _, apply := range f.applies() {
		for object, action := range apply {
			if strings.HasPrefix(object, "NutanixPlanDecision/") {
				assert.Contains(f.t, []string{"created", "unchanged"}, action, object)
			}
		}
	}
	assert.Len(f.t, decided, len(f.decisions()), "all but that of the user, and the revoked one")
	assert.Len(f.t, applied, 7, "the cluster, four machines and two edits")
	for _, counts := range []map[string]int{decided, applied} {
		for name, count := range counts {
			assert.Equal(f.t, 1, count, name)
		}
	}
}

// deletesCluster removes the cluster from Git, in the default mode.
func (f *flux) deletesCluster() {
	f.t.Helper()
	larger := f.waitForPlan("the larger machine to wait", machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting))
	f.push("Use the default mode", map[string]string{"cluster.yaml": f.clusterManifest(nil)})
	f.waitForPlan("the larger machine to be created", target("NutanixMachine", larger.Spec.Target.Name, infrav1.PlanPhaseApplied))
	f.push("Delete the cluster", map[string]string{"cluster.yaml": "", "machine.yaml": "", "workers.yaml": "", "larger.yaml": ""})
	for _, object := range []client.Object{&clusterv1.Cluster{}, &infrav1.NutanixCluster{}} {
		object.SetNamespace(f.Namespace)
		object.SetName(f.Name)
		require.NoError(f.t, testStack.Env.WaitForGone(f.ctx, object))
	}
	assert.Empty(f.t, f.vms())
	f.requireNoPlanFiles()
}

// updateOf matches the plans that update a machine.
func updateOf(machine *infrav1.NutanixMachine, phase infrav1.PlanPhase) planMatch {
	return func(plan infrav1.NutanixPlan) bool {
		return plan.Spec.Cause == infrav1.PlanCauseUpdate && target("NutanixMachine", machine.Name, phase)(plan)
	}
}

// edit returns the manifest of a machine whose VM has a category. An empty value means no category.
func (f *flux) edit(machine *infrav1.NutanixMachine, owner *clusterv1.Machine, environment string) map[string]string {
	f.t.Helper()
	edited := machine.DeepCopy()
	if environment != "" {
		edited.Spec.AdditionalCategories = []infrav1.NutanixCategoryIdentifier{{Key: "Environment", Value: environment}}
	}
	return map[string]string{"machine.yaml": f.manifest(edited, owner)}
}

func (f *flux) clusterManifest(terraform *infrav1.TerraformSpec) string {
	f.t.Helper()
	changed := f.BareCluster
	changed.Terraform = terraform
	return f.manifest(changed.Objects()[3:]...)
}
