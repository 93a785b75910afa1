package installation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// managerNamespace is the namespace of the manager in the test environment.
const managerNamespace = corev1.NamespaceDefault

// planMatch reports whether a plan is one that a test looks for.
type planMatch func(plan infrav1.NutanixPlan) bool

// target matches the plans of an object. phases limits it to plans in one of these phases.
func target(kind, name string, phases ...infrav1.PlanPhase) planMatch {
	return func(plan infrav1.NutanixPlan) bool {
		inPhase := len(phases) == 0 || slices.Contains(phases, plan.Status.Phase)
		return plan.Spec.Target.Kind == kind && plan.Spec.Target.Name == name && inPhase
	}
}

// machinePlans matches the plans of all machines that have the cause and are in the phase.
func machinePlans(cause infrav1.PlanCause, phase infrav1.PlanPhase) planMatch {
	return func(plan infrav1.NutanixPlan) bool {
		return plan.Spec.Target.Kind == "NutanixMachine" && plan.Spec.Cause == cause && plan.Status.Phase == phase
	}
}

// but excludes plans from a match.
func (m planMatch) but(excluded ...infrav1.NutanixPlan) planMatch {
	return func(plan infrav1.NutanixPlan) bool {
		same := func(other infrav1.NutanixPlan) bool { return other.UID == plan.UID }
		return m(plan) && !slices.ContainsFunc(excluded, same)
	}
}

// plans returns the plans of the objects of the cluster that match, in its own namespace and in that of the manager.
func (c *cluster) plans(match planMatch) []infrav1.NutanixPlan {
	c.t.Helper()
	list := &infrav1.NutanixPlanList{}
	require.NoError(c.t, c.client.List(c.ctx, list))
	return slices.DeleteFunc(list.Items, func(plan infrav1.NutanixPlan) bool {
		return plan.Spec.Target.Namespace != c.Namespace || !match(plan)
	})
}

// waitForPlans waits until exactly count plans match and returns them.
func (c *cluster) waitForPlans(what string, count int, match planMatch) []infrav1.NutanixPlan {
	c.t.Helper()
	var found []infrav1.NutanixPlan
	c.waitFor(what, func() (bool, string) {
		found = c.plans(match)
		return len(found) == count, strings.Join(c.describePlans(), ", ")
	})
	return found
}

func (c *cluster) waitForPlan(what string, match planMatch) infrav1.NutanixPlan {
	c.t.Helper()
	return c.waitForPlans(what, 1, match)[0]
}

func (c *cluster) describePlans() []string {
	c.t.Helper()
	var texts []string
	for _, plan := range c.plans(func(infrav1.NutanixPlan) bool { return true }) {
		texts = append(texts, fmt.Sprintf("%s %s %s %s", plan.Name, plan.Spec.Cause, plan.Status.Phase, plan.Status.Message))
	}
	return texts
}

// waitForPhase waits until a plan is in the phase and returns it.
func (c *cluster) waitForPhase(plan infrav1.NutanixPlan, phase infrav1.PlanPhase) infrav1.NutanixPlan {
	c.t.Helper()
	return c.waitForPlan(fmt.Sprintf("plan %s to be %s", plan.Name, phase), func(other infrav1.NutanixPlan) bool {
		return other.UID == plan.UID && other.Status.Phase == phase
	})
}

// planFiles returns the Secrets with plan files in a namespace.
func (c *cluster) planFiles(namespace string) []corev1.Secret {
	c.t.Helper()
	list := &corev1.SecretList{}
	require.NoError(c.t, c.client.List(c.ctx, list, client.InNamespace(namespace), client.HasLabels{infrav1.PlanFileLabel}))
	return list.Items
}

// requireNoPlanFiles requires that no plan file is stored and that all plans of the cluster are in a final phase.
func (c *cluster) requireNoPlanFiles() {
	c.t.Helper()
	open := c.plans(func(plan infrav1.NutanixPlan) bool { return !plan.Status.Phase.Final() })
	require.Empty(c.t, open, strings.Join(c.describePlans(), ", "))
	require.Empty(c.t, c.planFiles(c.Namespace))
	require.Empty(c.t, c.planFiles(managerNamespace))
	c.requireSmallPlans()
}

// requireSmallPlans requires that the plans of each object and their files need at most 16 KiB in etcd, also while a plan waits.
func (c *cluster) requireSmallPlans() {
	c.t.Helper()
	c.waitFor("the plans of each object to need at most 16 KiB", func() (bool, string) {
		sizes := c.planSizes()
		return len(sizes) > 0 && slices.Max(slices.Collect(maps.Values(sizes))) <= 16<<10, fmt.Sprint(sizes)
	})
}

// planSizes returns the number of bytes that the plans of each object and their files need in etcd, where plans are stored as JSON and Secrets
// as protocol buffers.
func (c *cluster) planSizes() map[string]int {
	c.t.Helper()
	sizes := map[string]int{}
	for _, plan := range c.plans(func(infrav1.NutanixPlan) bool { return true }) {
		plan.SetGroupVersionKind(infrav1.GroupVersion.WithKind("NutanixPlan"))
		content, err := json.Marshal(plan)
		require.NoError(c.t, err)
		sizes[plan.Spec.Target.Name] += len(content)
		for _, secret := range c.planFiles(plan.Namespace) {
			if plan.Spec.File != nil && plan.Spec.File.SecretName == secret.Name {
				sizes[plan.Spec.Target.Name] += secret.Size()
			}
		}
	}
	return sizes
}

// user returns a client of a user who has a role in a namespace. role is the name of a ClusterRole.
func (c *cluster) user(name, namespace, role string) client.Client {
	c.t.Helper()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: c.Name + "-" + name + "-" + role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
	require.NoError(c.t, c.client.Create(c.ctx, binding))
	c.t.Cleanup(func() { _ = c.client.Delete(c.ctx, binding) })
	made, err := testStack.Env.ClientAs(name)
	require.NoError(c.t, err)
	return made
}

// approverRole is the ClusterRole in config/rbac with the permission to approve plans.
const approverRole = "plan-approver"

// approver returns a client of a user who may approve plans in the namespace of the cluster.
func (c *cluster) approver() client.Client {
	c.t.Helper()
	return c.user("approver", c.Namespace, approverRole)
}

// approve creates a decision that approves the digests of spec. It returns the decision.
func (c *cluster) approve(as client.Client, namespace, name string, spec infrav1.NutanixPlanDecisionSpec) *infrav1.NutanixPlanDecision {
	c.t.Helper()
	decision := newDecision(namespace, name, spec)
	require.NoError(c.t, as.Create(c.ctx, decision))
	return decision
}

func newDecision(namespace, name string, spec infrav1.NutanixPlanDecisionSpec) *infrav1.NutanixPlanDecision {
	spec.Verdict, spec.Reason = infrav1.PlanVerdictApproved, "CHG-4711"
	return &infrav1.NutanixPlanDecision{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

func changeOf(plan infrav1.NutanixPlan) infrav1.NutanixPlanDecisionSpec {
	return infrav1.NutanixPlanDecisionSpec{Changes: []string{plan.Spec.ChangeDigest}}
}

func classOf(plan infrav1.NutanixPlan, maxUses int32) infrav1.NutanixPlanDecisionSpec {
	return infrav1.NutanixPlanDecisionSpec{Classes: []string{plan.Spec.ClassDigest}, MaxUses: &maxUses}
}

// usesOf returns the uses of a decision.
func (c *cluster) usesOf(decision *infrav1.NutanixPlanDecision) []infrav1.PlanDecisionUse {
	c.t.Helper()
	current := &infrav1.NutanixPlanDecision{}
	require.NoError(c.t, c.client.Get(c.ctx, client.ObjectKeyFromObject(decision), current))
	return current.Status.Uses
}

// restartManager kills the manager of the first installation and starts it again with flags. between is called while no manager runs.
func restartManager(t *testing.T, between func(), flags ...string) {
	t.Helper()
	require.NoError(t, testStack.Env.KillManager())
	between()
	require.NoError(t, testStack.StartManagerWith(context.Background(), flags...)) // t.Context is cancelled before cleanups
}
