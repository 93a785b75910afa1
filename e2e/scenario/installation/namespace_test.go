package installation

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// A namespace is deleted while three plans wait: two would power-cycle VMs, and one would create a VM. The deletion of the namespace approves
// the destruction, so it does not wait. The plans and their files are deleted with the namespace, and the audit trail contains what became of
// them.
func TestNamespaceDeletionDoesNotWait_InModeDisruptive(t *testing.T) {
	c := newCluster(t, testStack.Env.Client, "emptied", &infrav1.TerraformSpec{Drift: checkedOften})
	running := []string{"emptied-a", "emptied-b"}
	for _, name := range running {
		c.createMachine(name, nil)
	}
	for _, name := range running {
		c.addMemory(c.waitForReady(name, "").UUID)
	}
	c.waitForPlans("two plans to wait that power-cycle VMs", 2, machinePlans(infrav1.PlanCauseDrift, infrav1.PlanPhaseWaiting))
	c.createPolicy("creations", infrav1.PolicyVerdictRequireApproval, "plan.cause != 'Create'")
	c.createMachine("emptied-c", nil)
	c.waitForPlan("the creation of a VM to wait", machinePlans(infrav1.PlanCauseCreate, infrav1.PlanPhaseWaiting))
	require.Len(t, c.planFiles(c.Namespace), 3)
	require.Len(t, c.vms(), 2)

	c.deleteNamespace()
	c.waitForNoNamespace()
	c.requireNothingLeft()
	for _, plan := range c.plans(func(infrav1.NutanixPlan) bool { return true }) {
		assert.Equal(t, managerNamespace, plan.Namespace)
		assert.Contains(t, []infrav1.PlanCause{infrav1.PlanCauseDelete, infrav1.PlanCauseForget}, plan.Spec.Cause)
		assert.Equal(t, infrav1.PlanPhaseApplied, plan.Status.Phase, plan.Status.Message)
		assert.Empty(t, plan.Status.DecidedBy, "the deletion of the object approves its destruction")
	}
	requireAuditVerified(t)
	for _, name := range running {
		c.requireSuperseded(name, "Drift")
		assert.Equal(t, []string{"Plan", "Apply Approved", "Result Applied"}, c.auditedEvents(name, "Delete"))
	}
	c.requireSuperseded("emptied-c", "Create")
	assert.Equal(t, []string{"Plan", "Apply Approved", "Result Applied"}, c.auditedEvents(c.Name, "Delete"))
}

// requireSuperseded requires that the audit trail contains the plans of an object that have a cause, and that none of them was applied. A plan
// that is deleted with the namespace may be made again before its object is deleted.
func (c *cluster) requireSuperseded(name, cause string) {
	c.t.Helper()
	count := map[string]int{}
	for _, event := range c.auditedEvents(name, cause) {
		count[event]++
	}
	delete(count, "Policy RequireApproval")
	assert.Positive(c.t, count["Plan"])
	assert.Equal(c.t, map[string]int{"Plan": count["Plan"], "Result Superseded": count["Plan"]}, count, "%s of %s", cause, name)
}

// deleteNamespace begins to delete the namespace of the cluster.
func (c *cluster) deleteNamespace() {
	c.t.Helper()
	require.NoError(c.t, c.client.Delete(c.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Namespace}}))
}

func (c *cluster) waitForNoNamespace() {
	c.t.Helper()
	c.waitFor("the namespace to be deleted", func() (bool, string) {
		namespace := &corev1.Namespace{}
		err := c.client.Get(c.ctx, client.ObjectKey{Name: c.Namespace}, namespace)
		var remaining []string
		for _, condition := range namespace.Status.Conditions {
			if condition.Status == corev1.ConditionTrue {
				remaining = append(remaining, condition.Message)
			}
		}
		return apierrors.IsNotFound(err), strings.Join(append(remaining, c.describePlans()...), ", ")
	})
}

// requireNothingLeft requires that Prism Central has nothing of the cluster, that all its plans are in a final phase, and that no namespace of
// the management cluster contains a plan file, a Terraform state or a Lease of one.
func (c *cluster) requireNothingLeft() {
	c.t.Helper()
	assert.Empty(c.t, c.vms())
	assert.NotContains(c.t, testStack.Prism.CategoryValues(infrav1.CategoryKey), c.Name)
	open := c.plans(func(plan infrav1.NutanixPlan) bool { return !plan.Status.Phase.Final() })
	assert.Empty(c.t, open, strings.Join(c.describePlans(), ", "))
	secrets, leases := &corev1.SecretList{}, &coordinationv1.LeaseList{}
	require.NoError(c.t, c.client.List(c.ctx, secrets))
	require.NoError(c.t, c.client.List(c.ctx, leases))
	var left []string
	for _, secret := range secrets.Items {
		_, isFile := secret.Labels[infrav1.PlanFileLabel]
		if isFile || secret.Labels["tfstate"] != "" || secret.Namespace == c.Namespace {
			left = append(left, "Secret "+secret.Namespace+"/"+secret.Name)
		}
	}
	for _, lease := range leases.Items {
		if strings.HasPrefix(lease.Name, "lock-") || lease.Namespace == c.Namespace {
			left = append(left, "Lease "+lease.Namespace+"/"+lease.Name)
		}
	}
	slices.Sort(left)
	assert.Empty(c.t, left)
}
