package provisioning

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

// Approval returns the rules and the objects that decide about the plans of a machine or, if machine is nil, of the cluster.
func (d *Dependencies) Approval(cluster *infrav1.NutanixCluster, machine *infrav1.NutanixMachine) plan.Context {
	return plan.Context{Rules: plan.ClusterRules(d.ApprovalFloor, cluster), Machine: machine, Cluster: cluster}
}

// ClusterOrigin says who and what caused the plans of a cluster.
func (d *Dependencies) ClusterOrigin(cluster *clusterv1.Cluster, nutanixCluster *infrav1.NutanixCluster) infrav1.PlanOrigin {
	origin := plan.ClusterOrigin(nutanixCluster, d.GitOps)
	origin.Owner, origin.Cluster = "Cluster/"+cluster.Name, cluster.Name
	return origin
}

// MachineOrigin says who and what caused the plans of a machine. source is the object that caused them.
func (d *Dependencies) MachineOrigin(ctx context.Context, cluster *clusterv1.Cluster, machine *clusterv1.Machine, nutanixMachine *infrav1.NutanixMachine) (origin infrav1.PlanOrigin, source client.Object, err error) {
	source = nutanixMachine.DeepCopy()
	var template *infrav1.NutanixMachineTemplate
	if name := nutanixMachine.ClonedFrom(); name != "" {
		template = &infrav1.NutanixMachineTemplate{}
		err := d.Client.Get(ctx, client.ObjectKey{Namespace: nutanixMachine.Namespace, Name: name}, template)
		if apierrors.IsNotFound(err) {
			template = nil
		} else if err != nil {
			return infrav1.PlanOrigin{}, nil, fmt.Errorf("reading the template of %s: %w", client.ObjectKeyFromObject(nutanixMachine), err)
		}
	}
	if template != nil {
		source = template
	}
	origin = plan.MachineOrigin(nutanixMachine, template, d.GitOps)
	origin.Owner, origin.Cluster = ownerOf(machine), cluster.Name
	return origin, source, nil
}

// ownerOf returns the kind and name of the object that manages a machine.
func ownerOf(machine *clusterv1.Machine) string {
	for label, kind := range map[string]string{
		clusterv1.MachineDeploymentNameLabel:   "MachineDeployment",
		clusterv1.MachineControlPlaneNameLabel: "ControlPlane",
	} {
		if name := machine.Labels[label]; name != "" {
			return kind + "/" + name
		}
	}
	if name := machine.Labels[clusterv1.MachineSetNameLabel]; name != "" {
		return "MachineSet/" + name
	}
	return "Machine/" + machine.Name
}

// WatchPlans lets a controller reconcile the targets of waiting plans when a decision or a policy changes, or when somebody deletes a
// plan. kind is the kind of the controller's objects.
func (d *Dependencies) WatchPlans(b *builder.Builder, kind string) *builder.Builder {
	return b.
		Watches(&infrav1.NutanixPlan{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []ctrl.Request {
			return d.targetOfDeletedPlan(object, kind)
		}), builder.WithPredicates(OnlyDeletes)).
		Watches(&infrav1.NutanixPlanDecision{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
			return d.targetsOfDecision(ctx, object, kind)
		}), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&infrav1.NutanixPlanPolicy{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
			return d.targetsOfPolicy(ctx, object, kind)
		}), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
}

// targetOfDeletedPlan maps a plan that somebody has deleted before it was applied to its target.
func (d *Dependencies) targetOfDeletedPlan(object client.Object, kind string) []ctrl.Request {
	deleted, ok := object.(*infrav1.NutanixPlan)
	if !ok || deleted.Spec.Target.Kind != kind || deleted.Status.Phase.Final() {
		return nil
	}
	d.Pipeline.PlanDeleted(deleted)
	return []ctrl.Request{requestFor(deleted)}
}

// targetsOfDecision maps a decision to the targets of the plans that it concerns.
func (d *Dependencies) targetsOfDecision(ctx context.Context, object client.Object, kind string) []ctrl.Request {
	decision, ok := object.(*infrav1.NutanixPlanDecision)
	if !ok {
		return nil
	}
	return d.targets(ctx, kind, "", func(waiting *infrav1.NutanixPlan) bool {
		return waiting.Namespace == decision.Namespace &&
			(slices.Contains(decision.Spec.Changes, waiting.Spec.ChangeDigest) || slices.Contains(decision.Spec.Classes, waiting.Spec.ClassDigest))
	})
}

// targetsOfPolicy maps a policy to the targets of the plans to which it applies.
func (d *Dependencies) targetsOfPolicy(ctx context.Context, object client.Object, kind string) []ctrl.Request {
	namespace := object.GetNamespace()
	if namespace == d.Pipeline.Plans.Namespace {
		namespace = ""
	}
	return d.targets(ctx, kind, namespace, func(*infrav1.NutanixPlan) bool { return true })
}

// targets returns requests for the targets of the plans that are in no final phase and that match.
func (d *Dependencies) targets(ctx context.Context, kind, namespace string, match func(*infrav1.NutanixPlan) bool) []ctrl.Request {
	list := &infrav1.NutanixPlanList{}
	if err := d.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list NutanixPlans")
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		object := &list.Items[i]
		if object.Spec.Target.Kind == kind && !object.Status.Phase.Final() && match(object) {
			requests = append(requests, requestFor(object))
		}
	}
	return requests
}

func requestFor(object *infrav1.NutanixPlan) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKey{Namespace: object.Spec.Target.Namespace, Name: object.Spec.Target.Name}}
}
