package nutanixcluster

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// owner returns the Cluster that owns a NutanixCluster, or nil if Cluster API has not set the owner reference yet. If
// the NutanixCluster is being deleted and its Cluster was removed by force, owner returns an object with the name of
// that Cluster, because the deletion needs only the name.
func (r *Reconciler) owner(ctx context.Context, nutanixCluster *infrav1.NutanixCluster) (*clusterv1.Cluster, error) {
	cluster, err := util.GetOwnerCluster(ctx, r.Client, nutanixCluster.ObjectMeta)
	deleting := !nutanixCluster.DeletionTimestamp.IsZero() && controllerutil.ContainsFinalizer(nutanixCluster, infrav1.NutanixClusterFinalizer)
	switch {
	case deleting && (apierrors.IsNotFound(err) || err == nil && cluster == nil):
		return formerCluster(nutanixCluster), nil
	case err != nil:
		return nil, fmt.Errorf("getting the Cluster that owns NutanixCluster %s/%s: %w", nutanixCluster.Namespace, nutanixCluster.Name, err)
	}
	return cluster, nil
}

// formerCluster returns a Cluster object for a Cluster that no longer exists. The object has only the name and
// namespace.
func formerCluster(nutanixCluster *infrav1.NutanixCluster) *clusterv1.Cluster {
	name := ""
	for _, owner := range nutanixCluster.OwnerReferences {
		if owner.Kind == clusterv1.ClusterKind {
			name = owner.Name
		}
	}
	name = cmp.Or(name, nutanixCluster.Labels[clusterv1.ClusterNameLabel], nutanixCluster.Name)
	return &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: nutanixCluster.Namespace, Name: name}}
}
