package cli

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/cli/display"
)

// targetOf returns the machine of a plan and the Machine that owns it, or nil. Both are extra information that an approver may not be
// allowed to read, so targetOf ignores errors.
func targetOf(ctx context.Context, cluster *Cluster, plan *infrav1.NutanixPlan) (machine *infrav1.NutanixMachine, owner *clusterv1.Machine) {
	if plan.Spec.Target.Kind != kindMachine {
		return nil, nil
	}
	machine = &infrav1.NutanixMachine{}
	key := client.ObjectKey{Namespace: plan.Spec.Target.Namespace, Name: plan.Spec.Target.Name}
	if err := cluster.Get(ctx, key, machine); err != nil {
		return nil, nil
	}
	for _, reference := range machine.OwnerReferences {
		if reference.Kind != "Machine" || !strings.HasPrefix(reference.APIVersion, clusterv1.GroupVersion.Group+"/") {
			continue
		}
		owner := &clusterv1.Machine{}
		if err := cluster.Get(ctx, client.ObjectKey{Namespace: machine.Namespace, Name: reference.Name}, owner); err == nil {
			return machine, owner
		}
	}
	return machine, nil
}

// addNode adds the Node of a machine to the screen, and the number of its pods if the plan disrupts them and is not final.
func addNode(ctx context.Context, cluster *Cluster, plan *infrav1.NutanixPlan, owner *clusterv1.Machine, screen *display.Screen) {
	if owner == nil || !owner.Status.NodeRef.IsDefined() {
		return
	}
	screen.Node = describeNode(owner)
	if plan.Spec.Disruption == infrav1.PlanDisruptionNone || plan.Status.Phase.Final() {
		return
	}
	if pods, err := podsOf(ctx, cluster, owner); err != nil {
		screen.Node, screen.PodsUnknown = screen.Node+", pods unknown", err.Error()
	} else {
		screen.Node += ", " + display.CountOf(pods, "pod")
	}
}

// addDecisions adds the decisions about a plan to the screen. An approver may not be allowed to read them.
func addDecisions(ctx context.Context, cluster *Cluster, plan *infrav1.NutanixPlan, screen *display.Screen) {
	decisions := &infrav1.NutanixPlanDecisionList{}
	if err := cluster.List(ctx, decisions, client.InNamespace(plan.Namespace)); err != nil {
		screen.DecisionsUnknown = err.Error()
		return
	}
	for _, decision := range decisions.Items {
		if slices.Contains(decision.Spec.Changes, plan.Spec.ChangeDigest) || slices.Contains(decision.Spec.Classes, plan.Spec.ClassDigest) {
			screen.Decisions = append(screen.Decisions, decision)
		}
	}
}

// describeNode returns for example "Node prod-md-0-9d8v2, Ready".
func describeNode(machine *clusterv1.Machine) string {
	text := "Node " + machine.Status.NodeRef.Name
	condition := meta.FindStatusCondition(machine.Status.Conditions, clusterv1.MachineNodeReadyCondition)
	switch {
	case condition == nil || condition.Status == metav1.ConditionUnknown:
		return text
	case condition.Status == metav1.ConditionTrue:
		return text + ", Ready"
	default:
		return text + ", not Ready"
	}
}
