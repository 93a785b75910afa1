package nutanixcluster

import (
	"context"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// usersOfSecret maps a Secret to the clusters that read credentials or a backend configuration from the Secret.
func (r *Reconciler) usersOfSecret(ctx context.Context, secret client.Object) []ctrl.Request {
	return r.clusters(ctx, func(cluster *infrav1.NutanixCluster) bool { return contains(references(cluster), secret) })
}

// usersOfConfigMap maps a ConfigMap to the clusters that use the ConfigMap as trust bundle.
func (r *Reconciler) usersOfConfigMap(ctx context.Context, configMap client.Object) []ctrl.Request {
	return r.clusters(ctx, func(cluster *infrav1.NutanixCluster) bool { return contains(references(cluster), configMap) })
}

// usersOfFailureDomain maps a NutanixFailureDomain to the clusters in the same namespace that reference it.
func (r *Reconciler) usersOfFailureDomain(ctx context.Context, domain client.Object) []ctrl.Request {
	return r.clusters(ctx, func(cluster *infrav1.NutanixCluster) bool {
		if cluster.Namespace != domain.GetNamespace() {
			return false
		}
		for _, ref := range cluster.Spec.ControlPlaneFailureDomains {
			if ref.Name == domain.GetName() {
				return true
			}
		}
		return false
	})
}

// clusterOfMachine maps a machine to its cluster, if the deletion or the migration of the cluster may wait for the machine.
func (r *Reconciler) clusterOfMachine(ctx context.Context, machine client.Object) []ctrl.Request {
	return r.clusters(ctx, func(cluster *infrav1.NutanixCluster) bool {
		waits := !cluster.DeletionTimestamp.IsZero() || conditions.IsFalse(cluster, infrav1.PrismAPIMigratedCondition)
		return cluster.Namespace == machine.GetNamespace() && waits &&
			cluster.Labels[clusterv1.ClusterNameLabel] == machine.GetLabels()[clusterv1.ClusterNameLabel]
	})
}

func (r *Reconciler) clusters(ctx context.Context, match func(*infrav1.NutanixCluster) bool) []ctrl.Request {
	list := &infrav1.NutanixClusterList{}
	if err := r.Client.List(ctx, list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list NutanixClusters")
		return nil
	}
	var requests []ctrl.Request
	for i := range list.Items {
		if match(&list.Items[i]) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
