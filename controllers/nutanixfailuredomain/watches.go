package nutanixfailuredomain

import (
	"context"
	"fmt"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/cluster-api/util/predicates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// SetupWithManager starts the reconciler with the manager. If an update changes the failure domains that an object
// references, both the former and the new failure domains are enqueued, because the handler maps the old and the new
// object.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	log := mgr.GetLogger().WithValues("controller", kind)
	scheme := mgr.GetScheme()
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	err := ctrl.NewControllerManagedBy(mgr).
		For(&infrav1.NutanixFailureDomain{}, builder.WithPredicates(predicates.ResourceHasFilterLabel(scheme, log, r.WatchFilterValue))).
		WithOptions(options).
		Watches(&infrav1.NutanixCluster{}, handler.EnqueueRequestsFromMapFunc(namedByNutanixCluster),
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, credentialsChanged))).
		Watches(&clusterv1.MachineDeployment{}, handler.EnqueueRequestsFromMapFunc(namedByMachineDeployment), specChanged).
		Watches(&clusterv1.Machine{}, handler.EnqueueRequestsFromMapFunc(namedByMachine), specChanged).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.candidatesOfCluster),
			builder.WithPredicates(provisioning.PauseChanged(scheme, log))).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// credentialsChanged passes updates of clusters whose credentials became valid.
var credentialsChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*infrav1.NutanixCluster)
		after, ok2 := e.ObjectNew.(*infrav1.NutanixCluster)
		return ok && ok2 && conditions.IsTrue(after, infrav1.CredentialsResolvedCondition) && !conditions.IsTrue(before, infrav1.CredentialsResolvedCondition)
	},
}

func namedByNutanixCluster(_ context.Context, object client.Object) []ctrl.Request {
	cluster, ok := object.(*infrav1.NutanixCluster)
	if !ok {
		return nil
	}
	var requests []ctrl.Request
	for _, reference := range cluster.Spec.ControlPlaneFailureDomains {
		requests = append(requests, request(cluster.Namespace, reference.Name)...)
	}
	return requests
}

func namedByMachineDeployment(_ context.Context, object client.Object) []ctrl.Request {
	deployment, ok := object.(*clusterv1.MachineDeployment)
	if !ok {
		return nil
	}
	return request(deployment.Namespace, deployment.Spec.Template.Spec.FailureDomain)
}

func namedByMachine(_ context.Context, object client.Object) []ctrl.Request {
	machine, ok := object.(*clusterv1.Machine)
	if !ok {
		return nil
	}
	return request(machine.Namespace, machine.Spec.FailureDomain)
}

// candidatesOfCluster returns requests for the failure domains that a Cluster may use.
func (r *Reconciler) candidatesOfCluster(ctx context.Context, cluster client.Object) []ctrl.Request {
	domains := &infrav1.NutanixFailureDomainList{}
	if err := r.Client.List(ctx, domains, client.InNamespace(cluster.GetNamespace())); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the failure domains next to a Cluster", "Cluster", client.ObjectKeyFromObject(cluster))
		return nil
	}
	var requests []ctrl.Request
	for i := range domains.Items {
		requests = append(requests, request(domains.Items[i].Namespace, domains.Items[i].Name)...)
	}
	return requests
}

// request returns a request for the failure domain with the name, or no request if the name is empty.
func request(namespace, name string) []ctrl.Request {
	if name == "" {
		return nil
	}
	return []ctrl.Request{{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}}
}
