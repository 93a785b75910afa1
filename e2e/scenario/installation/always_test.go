package installation

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// In mode Always nothing is created and nothing is destroyed without a decision, and only decisions of users who may approve and who are
// not the author count. One decision by class lets the machines of a MachineDeployment through. The namespace of the cluster is deleted at
// the end: its plans are then in the namespace of the manager, and so are the decisions about them.
func TestEveryPlanWaits_InModeAlways(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "always", &infrav1.TerraformSpec{
		Approval: &infrav1.TerraformApproval{Mode: infrav1.ApprovalModeAlways},
	})
	approver, author := c.approver(), c.user("author", c.Namespace, approverRole)

	plan := c.waitForPlan("the plan of the cluster to wait", target("NutanixCluster", c.Name, infrav1.PlanPhaseWaiting))
	assert.Equal(t, infrav1.PlanCauseCreate, plan.Spec.Cause)
	assert.Contains(t, strings.Join(plan.Status.WaitingFor, "; "), "approval mode is Always")
	assert.NotContains(t, testStack.Prism.CategoryValues(infrav1.CategoryKey), c.Name)
	c.onlyManagerWritesPlans(plan, approver)
	c.onlyApproversDecide(plan)
	spec := changeOf(plan)
	spec.DecidedBy = &infrav1.PlanDecider{Username: "somebody-else", At: metav1.Now()}
	decision := c.approve(approver, c.Namespace, "cluster", spec)
	require.NotNil(t, decision.Spec.DecidedBy)
	assert.Equal(t, "approver", decision.Spec.DecidedBy.Username)
	assert.Equal(t, []string{"approver"}, c.waitForPhase(plan, infrav1.PlanPhaseApplied).Status.DecidedBy)

	c.createWorkers(c.user("author", c.Namespace, c.templateRole()), 3)
	waiting := c.waitForPlans("the plans of three machines to wait", 3, machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting))
	for _, plan := range waiting {
		assert.Equal(t, waiting[0].Spec.ClassDigest, plan.Spec.ClassDigest)
		assert.Equal(t, infrav1.PlanDisruptionNone, plan.Spec.Disruption)
		assert.Equal(t, "author", plan.Spec.Origin.Author)
		c.waitForCondition(plan.Spec.Target.Name, infrav1.PlanRecordedCondition, metav1.ConditionTrue, infrav1.WaitingForApprovalReason)
		c.waitForCondition(plan.Spec.Target.Name, infrav1.DecidedCondition, metav1.ConditionFalse, infrav1.WaitingForApprovalReason)
	}
	assert.NotEqual(t, waiting[0].Spec.ChangeDigest, waiting[1].Spec.ChangeDigest)
	assert.Len(t, c.planFiles(c.Namespace), 3)
	c.requireSmallPlans()
	c.requirePrinted(waiting[0], metav1.ConditionFalse, map[string]any{"Changes": "+1", "Disruption": "None", "Phase": "Waiting", "Decided by": nil})

	c.approveClass(author, approver, waiting[0])
	c.requireNoPlanFiles()
	c.destroyWithNamespace()
}

// approveClass lets the creation of three machines through, of which waiting is one. The decision of the author does not count.
func (c *cluster) approveClass(author, approver client.Client, waiting infrav1.NutanixPlan) {
	c.t.Helper()
	byAuthor := c.approve(author, c.Namespace, "by-author", classOf(waiting, 3))
	c.waitForPlans("the decision of the author not to count", 3, func(plan infrav1.NutanixPlan) bool {
		return plan.Status.Phase == infrav1.PlanPhaseWaiting && strings.Contains(strings.Join(plan.Status.WaitingFor, "; "), "not by the author")
	})
	assert.Empty(c.t, c.vms())
	class := c.approve(approver, c.Namespace, "class", classOf(waiting, 2))
	c.waitForPlans("two machines to be created", 2, machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseApplied))
	c.waitForPlans("the third machine to wait", 1, machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting))
	assert.Len(c.t, c.usesOf(class), 2)
	c.approve(approver, c.Namespace, "third", classOf(waiting, 1))
	created := c.waitForPlans("the third machine to be created", 3, machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseApplied))
	c.waitForCondition(created[0].Spec.Target.Name, infrav1.DecidedCondition, metav1.ConditionTrue, "")
	c.requirePrinted(created[0], metav1.ConditionTrue, map[string]any{"Changes": "+1", "Disruption": "None", "Phase": "Applied", "Decided by": `["approver"]`})
	for _, use := range c.usesOf(class) {
		assert.NotNil(c.t, use.AppliedTime, use.Plan)
	}
	assert.Empty(c.t, c.usesOf(byAuthor))
	assert.Len(c.t, c.vms(), 3)
}

// destroyWithNamespace deletes the namespace of the cluster and approves what that destroys with the command line program.
func (c *cluster) destroyWithNamespace() {
	c.t.Helper()
	c.user("approver", managerNamespace, approverRole)
	c.deleteNamespace()
	waiting := c.waitForPlans("the destruction of three machines to wait", 3, machinePlans(infrav1.PlanCauseDelete, infrav1.PlanPhaseWaiting))
	assert.Len(c.t, c.vms(), 3)
	for _, plan := range waiting {
		assert.Equal(c.t, managerNamespace, plan.Namespace)
		assert.Equal(c.t, waiting[0].Spec.ClassDigest, plan.Spec.ClassDigest)
		assert.Equal(c.t, infrav1.PlanDisruptionDestroy, plan.Spec.Disruption)
	}
	assert.Len(c.t, c.planFiles(managerNamespace), 3)
	c.requirePrinted(waiting[0], metav1.ConditionFalse, map[string]any{"Changes": "-1", "Disruption": "Destroy", "Phase": "Waiting", "Decided by": nil})
	list, code := c.capnt(corev1.NamespaceDefault, "plan", "list", "-A", "--phase", "Waiting")
	assert.Equal(c.t, 1, code, list)
	assert.Regexp(c.t, `(?m)^`+managerNamespace+` +`+c.Name+`-workers-.*\(3 plans\) .* Delete +-1 each +Destroy +Waiting `, list)

	c.approveWithProgram("--class", waiting[0].Spec.ClassDigest)
	plan := c.waitForPlan("the destruction of the cluster to wait", target("NutanixCluster", c.Name, infrav1.PlanPhaseWaiting))
	assert.Empty(c.t, c.vms())
	c.approveWithProgram(plan.Name)
	c.waitForNoNamespace()
	c.requireNothingLeft()
	requireAuditVerified(c.t)
	for _, plan := range append(waiting, plan) {
		assert.Equal(c.t, []string{"Plan", "Apply Approved", "Result Applied"}, c.auditedEvents(plan.Spec.Target.Name, "Delete"))
	}
	decisions := &infrav1.NutanixPlanDecisionList{}
	require.NoError(c.t, c.client.List(c.ctx, decisions, client.InNamespace(managerNamespace)))
	uses := 0
	for _, decision := range decisions.Items {
		uses += len(decision.Status.Uses)
		require.NoError(c.t, c.client.Delete(c.ctx, &decision))
	}
	assert.Equal(c.t, 4, uses)
}

// approveWithProgram approves plans in the namespace of the manager as the user "approver".
func (c *cluster) approveWithProgram(arguments ...string) {
	c.t.Helper()
	arguments = append([]string{"plan", "approve", "--reason", "CHG-4711", "--yes", "--as", "approver"}, arguments...)
	output, code := c.capnt(managerNamespace, arguments...)
	require.Zero(c.t, code, output)
}

// onlyManagerWritesPlans requires that the API server refuses plans and statuses of plans of an administrator and of an approver.
func (c *cluster) onlyManagerWritesPlans(plan infrav1.NutanixPlan, approver client.Client) {
	c.t.Helper()
	forged := &infrav1.NutanixPlan{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: "forged", Labels: plan.Labels}, Spec: plan.Spec}
	forged.Spec.ChangeDigest = "sha256:" + strings.Repeat("0", 64)
	approved := plan.DeepCopy()
	approved.Status.Phase = infrav1.PlanPhaseApproved
	for _, as := range []client.Client{c.client, approver} {
		for _, err := range []error{as.Create(c.ctx, forged.DeepCopy()), as.Status().Update(c.ctx, approved.DeepCopy())} {
			require.True(c.t, apierrors.IsForbidden(err), "%v", err)
		}
	}
	require.ErrorContains(c.t, c.client.Create(c.ctx, forged.DeepCopy()), "only the manager")
}

// onlyApproversDecide requires that a user who may create decisions and may not approve plans cannot decide.
func (c *cluster) onlyApproversDecide(plan infrav1.NutanixPlan) {
	c.t.Helper()
	role := c.role("requester", "nutanixplandecisions", "create")
	err := c.user("requester", c.Namespace, role).Create(c.ctx, newDecision(c.Namespace, "requested", changeOf(plan)))
	require.True(c.t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(c.t, err, "cannot approve")
}

func (c *cluster) templateRole() string {
	c.t.Helper()
	return c.role("author", "nutanixmachinetemplates", "create")
}

// role creates a ClusterRole with permissions for one resource of CAPNT and returns its name.
func (c *cluster) role(name, resource string, verbs ...string) string {
	c.t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: c.Name + "-" + name}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{infrav1.GroupVersion.Group}, Resources: []string{resource}, Verbs: verbs,
	}}}
	require.NoError(c.t, c.client.Create(c.ctx, role))
	c.t.Cleanup(func() { assert.NoError(c.t, c.client.Delete(c.ctx, role)) })
	return role.Name
}

// createWorkers creates a machine template as the author, and a MachineDeployment that uses it.
func (c *cluster) createWorkers(author client.Client, replicas int32) {
	c.t.Helper()
	template, deployment := c.workers(c.Name+"-workers", replicas)
	require.NoError(c.t, author.Create(c.ctx, template))
	c.create(deployment)
}

// workers returns a MachineDeployment and the template of its machines.
func (c *cluster) workers(template string, replicas int32) (*infrav1.NutanixMachineTemplate, *clusterv1.MachineDeployment) {
	infrastructure, machine := c.Machine("workers")
	machine.Spec.InfrastructureRef.Kind, machine.Spec.InfrastructureRef.Name = "NutanixMachineTemplate", template
	return &infrav1.NutanixMachineTemplate{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: template},
			Spec:       infrav1.NutanixMachineTemplateSpec{Template: infrav1.NutanixMachineTemplateResource{Spec: infrastructure.Spec}},
		}, &clusterv1.MachineDeployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name + "-workers"},
			Spec: clusterv1.MachineDeploymentSpec{
				ClusterName: c.Name, Replicas: ptr.To(replicas),
				Template: clusterv1.MachineTemplateSpec{Spec: machine.Spec},
			},
		}
}

// vms returns the names of the VMs of the cluster.
func (c *cluster) vms() []string {
	var names []string
	for _, vm := range testStack.Prism.VMs() {
		if strings.HasPrefix(vm.Name, c.Name+"-") {
			names = append(names, vm.Name)
		}
	}
	return names
}
