package nutanixcluster

import (
	"context"
	"fmt"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
)

// reconcileDelete destroys the workspace once the last machine is gone, removes the Terraform state and lets go of the
// credentials. A cluster for which Terraform never ran needs no Prism Central to go away.
func (r *Reconciler) reconcileDelete(ctx context.Context, s *scope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.nutanixCluster, infrav1.NutanixClusterFinalizer) {
		return ctrl.Result{}, nil
	}
	gone, err := r.Gone(ctx, s.nutanixCluster, infrav1.NutanixClusterFinalizer)
	if err != nil || gone {
		return ctrl.Result{}, err
	}
	machines := &infrav1.NutanixMachineList{}
	if err := r.Client.List(ctx, machines, client.InNamespace(s.nutanixCluster.Namespace),
		client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name}); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing the machines of the cluster: %w", err)
	}
	if len(machines.Items) > 0 {
		return s.stop(infrav1.AppliedCondition, &provisioning.Problem{
			Reason:  infrav1.WaitingForMachinesDeletedReason,
			Message: fmt.Sprintf("%d machines of the cluster are left", len(machines.Items)),
		})
	}
	if r.HasWorkspaceKey(s.nutanixCluster) {
		if result, err := r.destroy(ctx, s); err != nil || !result.IsZero() || s.unfinished {
			return result, err
		}
	}
	if err := r.release(ctx, s.nutanixCluster.Namespace, s.nutanixCluster.UID); err != nil {
		return ctrl.Result{}, err
	}
	controllerutil.RemoveFinalizer(s.nutanixCluster, infrav1.NutanixClusterFinalizer)
	return ctrl.Result{}, nil
}

func (r *Reconciler) destroy(ctx context.Context, s *scope) (ctrl.Result, error) {
	access, err := r.Prism.Access(ctx, s.nutanixCluster)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	s.access = access
	target, err := r.target(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	result := r.Pipeline.Step(target)
	r.Publish(s.nutanixCluster, &s.nutanixCluster.Status.Terraform, result)
	if result.State != lifecycle.InSync {
		s.unfinished = true
		return ctrl.Result{RequeueAfter: result.RetryAfter}, nil
	}
	if err := r.Pipeline.State.Remove(ctx, target); err != nil {
		return ctrl.Result{}, err
	}
	r.Pipeline.Forget(target)
	return ctrl.Result{}, nil
}
