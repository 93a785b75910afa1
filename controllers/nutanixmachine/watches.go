package nutanixmachine

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// prismAccessChanged passes updates of a NutanixCluster if its spec, its Prism API or the category of its control plane changed, or if its
// credentials became valid or invalid.
var prismAccessChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*infrav1.NutanixCluster)
		after, also := e.ObjectNew.(*infrav1.NutanixCluster)
		return ok && also && (!equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
			infrav1.RecordedPrismAPI(before) != infrav1.RecordedPrismAPI(after) || infrav1.MigratingPrismAPI(before) != infrav1.MigratingPrismAPI(after) ||
			before.Annotations[infrav1.ControlPlaneCategoryAnnotation] != after.Annotations[infrav1.ControlPlaneCategoryAnnotation] ||
			conditions.IsTrue(before, infrav1.CredentialsResolvedCondition) != conditions.IsTrue(after, infrav1.CredentialsResolvedCondition))
	},
}

// machinesOfCluster maps an object with the label of a Cluster to the NutanixMachines of the Cluster.
func (r *Reconciler) machinesOfCluster(ctx context.Context, cluster client.Object) []ctrl.Request {
	name, ok := cluster.GetLabels()[clusterv1.ClusterNameLabel]
	if !ok {
		return nil
	}
	list := &infrav1.NutanixMachineList{}
	if err := r.Client.List(ctx, list, client.InNamespace(cluster.GetNamespace()), client.MatchingLabels{clusterv1.ClusterNameLabel: name}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list NutanixMachines")
		return nil
	}
	requests := make([]ctrl.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
