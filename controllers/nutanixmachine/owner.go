package nutanixmachine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// owners returns the Machine and the Cluster of a NutanixMachine, or nil if Cluster API has not set the owner reference
// yet. If both were removed by force, a deletion continues with objects that have only their names.
func (r *Reconciler) owners(ctx context.Context, nutanixMachine *infrav1.NutanixMachine) (*clusterv1.Machine, *clusterv1.Cluster, error) {
	deleting := !nutanixMachine.DeletionTimestamp.IsZero()
	machine, err := util.GetOwnerMachine(ctx, r.Client, nutanixMachine.ObjectMeta)
	switch {
	case err != nil && (!deleting || !apierrors.IsNotFound(err)):
		return nil, nil, fmt.Errorf("getting the Machine that owns NutanixMachine %s: %w", nutanixMachine.Name, err)
	case machine == nil && deleting:
		machine = formerMachine(nutanixMachine)
	case machine == nil:
		ctrl.LoggerFrom(ctx).V(4).Info("Waiting for Cluster API to set the owner")
		return nil, nil, nil
	}
	cluster, err := util.GetClusterFromMetadata(ctx, r.Client, machine.ObjectMeta)
	if deleting && apierrors.IsNotFound(err) {
		cluster, err = r.formerCluster(ctx, machine)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("getting the Cluster of Machine %s: %w", machine.Name, err)
	}
	return machine, cluster, nil
}

// formerMachine returns a Machine object for a Machine that no longer exists. The object has only the name, which comes
// from the owner reference. If there is no owner reference, it is the name of the NutanixMachine, because Cluster API
// gives both objects the same name.
func formerMachine(nutanixMachine *infrav1.NutanixMachine) *clusterv1.Machine {
	former := &clusterv1.Machine{ObjectMeta: metav1.ObjectMeta{
		Namespace: nutanixMachine.Namespace, Name: nutanixMachine.Name, Labels: nutanixMachine.Labels}}
	for _, owner := range nutanixMachine.OwnerReferences {
		if owner.Kind == "Machine" {
			former.Name = owner.Name
		}
	}
	return former
}

// formerCluster returns a Cluster object for a Machine whose Cluster no longer exists. Its infrastructure reference
// points to the NutanixCluster with the cluster name label of the Machine.
func (r *Reconciler) formerCluster(ctx context.Context, machine *clusterv1.Machine) (*clusterv1.Cluster, error) {
	name := machine.Labels[clusterv1.ClusterNameLabel]
	former := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: machine.Namespace, Name: name}}
	former.Spec.InfrastructureRef.Name = name
	list := &infrav1.NutanixClusterList{}
	if err := r.Client.List(ctx, list, client.InNamespace(machine.Namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: name}); err != nil {
		return nil, fmt.Errorf("looking for the NutanixCluster of Cluster %s, which is gone: %w", name, err)
	}
	if len(list.Items) > 0 {
		former.Spec.InfrastructureRef.Name = list.Items[0].Name
	}
	return former, nil
}
