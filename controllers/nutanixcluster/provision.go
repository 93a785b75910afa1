package nutanixcluster

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// accessToPrism is the cluster's way to Prism Central.
type accessToPrism = prism.Access

// provision takes the cluster's workspace one step further: the category that marks the cluster's machines.
func (r *Reconciler) provision(ctx context.Context, s *scope) (ctrl.Result, error) {
	target, err := r.target(ctx, s)
	if err != nil {
		return s.stop(infrav1.PlanRecordedCondition, provisioning.Diagnose(err))
	}
	if err := r.EnsureWorkspaceKey(ctx, kind, s.nutanixCluster); err != nil {
		return ctrl.Result{}, err
	}
	result := r.Pipeline.Step(target)
	r.Publish(s.nutanixCluster, &s.nutanixCluster.Status.Terraform, result)
	s.unfinished = result.State != lifecycle.InSync
	return ctrl.Result{RequeueAfter: result.RetryAfter}, nil
}

func (r *Reconciler) target(ctx context.Context, s *scope) (lifecycle.Target, error) {
	settings, backend, err := r.Settings(ctx, s.nutanixCluster, kind, s.nutanixCluster)
	if err != nil {
		return lifecycle.Target{}, err
	}
	workspace, err := renderer.RenderCluster(settings, renderer.Cluster{CategoryKey: infrav1.CategoryKey, CategoryValue: s.cluster.Name})
	if err != nil {
		return lifecycle.Target{}, fmt.Errorf("rendering workspace: %w", err)
	}
	shared, err := r.shared(ctx, s)
	if err != nil {
		return lifecycle.Target{}, err
	}
	return lifecycle.Target{
		Object: s.nutanixCluster.DeepCopy(),
		Kind:   kind,
		Desired: lifecycle.Desired{
			Workspace:     workspace,
			Backend:       backend,
			Upstream:      s.access.Upstream,
			Shared:        shared,
			CheckInterval: r.CheckInterval(s.nutanixCluster),
		},
		Remembered: provisioning.Remembered(s.nutanixCluster, s.nutanixCluster.Status.Terraform),
	}, nil
}

// shared lists what must survive the cluster because others may use it: always the category key, which all clusters have in
// common, and the value while a Cluster of the same name marks its machines with it.
func (r *Reconciler) shared(ctx context.Context, s *scope) ([]string, error) {
	addresses := []string{renderer.CategoryKeyAddress}
	namesake, err := r.namesake(ctx, s)
	if err != nil || namesake == "" {
		return addresses, err
	}
	return append(addresses, renderer.CategoryValueAddress), nil
}

// namesake returns a Cluster of the same name in another namespace that is in the same Prism Central, or empty.
func (r *Reconciler) namesake(ctx context.Context, s *scope) (string, error) {
	clusters := &infrav1.NutanixClusterList{}
	if err := r.Client.List(ctx, clusters, client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name}); err != nil {
		return "", fmt.Errorf("listing clusters of the same name: %w", err)
	}
	for i := range clusters.Items {
		other := &clusters.Items[i]
		if other.UID != s.nutanixCluster.UID && other.DeletionTimestamp.IsZero() && prismCentralOf(other) == prismCentralOf(s.nutanixCluster) {
			return client.ObjectKeyFromObject(other).String(), nil
		}
	}
	return "", nil
}

// prismCentralOf is where a cluster's Prism Central is. One that goes by two names is taken for two; what is in use there is
// found out by its VMs.
func prismCentralOf(cluster *infrav1.NutanixCluster) string {
	endpoint := cluster.Spec.PrismCentral
	if endpoint == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", strings.ToLower(endpoint.Address), cmp.Or(endpoint.Port, infrav1.DefaultPrismPort))
}

// publish tells Cluster API that the infrastructure of the cluster is complete.
func (r *Reconciler) publish(_ context.Context, s *scope) (ctrl.Result, error) {
	s.nutanixCluster.Status.Initialization.Provisioned = ptr.To(true)
	return ctrl.Result{}, nil
}
