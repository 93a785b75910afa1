package nutanixfailuredomain

import (
	"context"
	"fmt"

	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pausingCluster returns a paused Cluster if all Clusters that use the failure domain are paused, as during clusterctl
// move. Otherwise it returns nil, because one paused Cluster must not stop the reconciles of a failure domain that
// other Clusters use.
func (r *Reconciler) pausingCluster(ctx context.Context, namespace string, found usage) (*clusterv1.Cluster, error) {
	var pausing *clusterv1.Cluster
	for _, name := range found.clusterNames() {
		cluster := &clusterv1.Cluster{}
		if err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, cluster); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("getting Cluster %s/%s, whose machines use the failure domain: %w", namespace, name, err)
		}
		if !ptr.Deref(cluster.Spec.Paused, false) {
			return nil, nil
		}
		pausing = cluster
	}
	return pausing, nil
}
