package nutanixcluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
)

// reconcileDelete waits until the cluster has no machines. Then it destroys the workspace, removes the Terraform state
// and releases the credentials. If the cluster has no workspace key, Terraform never ran, so the deletion does not
// connect to Prism Central.
func (r *Reconciler) reconcileDelete(ctx context.Context, s *scope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.nutanixCluster, infrav1.NutanixClusterFinalizer) {
		return ctrl.Result{}, nil
	}
	released, err := r.Released(ctx, s.nutanixCluster, infrav1.NutanixClusterFinalizer)
	if err != nil || released {
		return ctrl.Result{}, err
	}
	if err := r.protectCredentials(ctx, s.nutanixCluster); err != nil {
		return ctrl.Result{}, err
	}
	machines, err := r.machines(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	if machines > 0 {
		return s.stop(infrav1.AppliedCondition, &provisioning.Problem{
			Reason:  infrav1.WaitingForMachinesDeletedReason,
			Message: fmt.Sprintf("%d machines of the cluster are left", machines),
		})
	}
	if r.HasWorkspaceKey(s.nutanixCluster) {
		if result, err := r.dispose(ctx, s); err != nil || !result.IsZero() || s.unfinished {
			return result, err
		}
	}
	if err := r.releaseCredentials(ctx, s.nutanixCluster.Namespace, s.nutanixCluster.UID); err != nil {
		return ctrl.Result{}, err
	}
	controllerutil.RemoveFinalizer(s.nutanixCluster, infrav1.NutanixClusterFinalizer)
	return ctrl.Result{}, nil
}

// machines returns the number of machines of the cluster. Before it returns zero, it lists the machines past the cache,
// because the cache may lack a machine that was just created.
func (r *Reconciler) machines(ctx context.Context, s *scope) (int, error) {
	for _, reader := range []client.Reader{r.Client, r.Reader} {
		machines := &infrav1.NutanixMachineList{}
		if err := reader.List(ctx, machines, client.InNamespace(s.nutanixCluster.Namespace),
			client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name}); err != nil {
			return 0, fmt.Errorf("listing the machines of the cluster: %w", err)
		}
		if len(machines.Items) > 0 {
			return len(machines.Items), nil
		}
	}
	return 0, nil
}

func (r *Reconciler) dispose(ctx context.Context, s *scope) (ctrl.Result, error) {
	retain, err := r.Retains(ctx, s.cluster, s.nutanixCluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	if s.access, err = r.Prism.Access(ctx, s.nutanixCluster); err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	target, err := r.target(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	if retain {
		result, done, err := r.Retain(ctx, target, s.cluster.Name, s.nutanixCluster, &s.nutanixCluster.Status.Terraform)
		s.unfinished = !done
		return ctrl.Result{RequeueAfter: result.RetryAfter}, err
	}
	return r.destroy(ctx, s, target)
}

// destroy destroys the category value of the cluster and what belongs to the control plane. It leaves a category that is in use in Prism
// Central.
func (r *Reconciler) destroy(ctx context.Context, s *scope, target lifecycle.Target) (ctrl.Result, error) {
	users, err := r.usersOfCategory(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	if users != "" {
		target.Shared = append(target.Shared, valueAddresses...)
		target.Hooks.Identify = nil // a category that stays is not imported
	}
	controlPlaneUsers, err := r.keepControlPlane(ctx, s, &target)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	result, done, err := r.Destroy(ctx, target, s.nutanixCluster, &s.nutanixCluster.Status.Terraform)
	r.refusals.note(s.nutanixCluster, result)
	if done {
		r.refusals.forget(s.nutanixCluster)
	}
	if done {
		r.reportKept(s, infrav1.CategoryKey, s.cluster.Name, users)
		r.reportKept(s, infrav1.ControlPlaneCategoryKey, provisioning.ControlPlaneCategoryValue(s.nutanixCluster), controlPlaneUsers)
	}
	s.unfinished = !done
	return ctrl.Result{RequeueAfter: result.RetryAfter}, err
}

// reportKept records an event for a category that stays in Prism Central because of users. It records none if users is empty.
func (r *Reconciler) reportKept(s *scope, key, value, users string) {
	if users == "" {
		return
	}
	r.Event(s.nutanixCluster, lifecycle.Event{Type: corev1.EventTypeNormal, Reason: infrav1.CategoryKeptReason, Action: "Apply",
		Message: fmt.Sprintf("The value %s of category %s stays in Prism Central: %s", value, key, users)})
}
