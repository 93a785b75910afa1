package nutanixcluster

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/renderer"
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

// machines counts the machines of the cluster. That there is none is said past the cache, which may not have seen one that was
// made a moment ago.
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
	users, err := r.usersOfCategory(ctx, s)
	if err != nil {
		return s.stop(infrav1.AppliedCondition, provisioning.Diagnose(err))
	}
	if users != "" && !slices.Contains(target.Shared, renderer.CategoryValueAddress) {
		target.Shared = append(target.Shared, renderer.CategoryValueAddress)
	}
	result, done, err := r.Destroy(ctx, target, s.nutanixCluster, &s.nutanixCluster.Status.Terraform)
	s.unfinished = !done
	if done && users != "" {
		r.Recorder.Eventf(s.nutanixCluster, nil, corev1.EventTypeNormal, infrav1.CategoryKeptReason, "Apply",
			"The value %s of category %s stays in Prism Central: %s", s.cluster.Name, infrav1.CategoryKey, users)
	}
	return result, err
}

// usersOfCategory says who uses the category value of a cluster whose machines are all gone, or empty. Prism Central refuses to
// delete what VMs carry, be they of a cluster that this manager does not see.
func (r *Reconciler) usersOfCategory(ctx context.Context, s *scope) (string, error) {
	namesake, err := r.namesake(ctx, s)
	if err != nil {
		return "", err
	}
	if namesake != "" {
		return "NutanixCluster " + namesake + " uses it", nil
	}
	vms, err := s.access.Client.VMsOfCategory(ctx, infrav1.CategoryKey, s.cluster.Name)
	if err != nil {
		return "", fmt.Errorf("looking for virtual machines that carry the category of the cluster: %w", err)
	}
	if len(vms) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d virtual machines carry it, among them %s (%s)", len(vms), vms[0].Name, vms[0].UUID), nil
}
