// Package nutanixmachinetemplate reconciles NutanixMachineTemplate. It publishes the capacity of the nodes that a
// template creates, so that the cluster autoscaler can scale from zero
// (https://cluster-api.sigs.k8s.io/developer/providers/contracts/infra-machine#inframachinetemplate-support-cluster-autoscaling-from-zero).
package nutanixmachinetemplate

import (
	"context"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/util/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/cluster-api/util/labels"
	"sigs.k8s.io/cluster-api/util/patch"
	"sigs.k8s.io/cluster-api/util/paused"
	"sigs.k8s.io/cluster-api/util/predicates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

const kind = "NutanixMachineTemplate"

// Reconciler reconciles NutanixMachineTemplate objects.
type Reconciler struct {
	Client client.Client
	// WatchFilterValue limits the reconciler to objects with this value of the label cluster.x-k8s.io/watch-filter.
	WatchFilterValue string
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachinetemplates,verbs=get;list;watch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachinetemplates/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=cluster.x-k8s.io,resources=clusters,verbs=get;list;watch

// SetupWithManager starts the reconciler with the manager.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	log := mgr.GetLogger().WithValues("controller", kind)
	filtered := predicates.ResourceHasFilterLabel(mgr.GetScheme(), log, r.WatchFilterValue)
	err := ctrl.NewControllerManagedBy(mgr).
		For(&infrav1.NutanixMachineTemplate{}, builder.WithPredicates(filtered)).
		WithOptions(options).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.templatesOfCluster),
			builder.WithPredicates(provisioning.PauseChanged(mgr.GetScheme(), log))).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// templatesOfCluster returns requests for the templates that a Cluster owns. It does not use the cluster name label,
// because Cluster API sets the label only on templates that it created itself.
func (r *Reconciler) templatesOfCluster(ctx context.Context, cluster client.Object) []ctrl.Request {
	templates := &infrav1.NutanixMachineTemplateList{}
	if err := r.Client.List(ctx, templates, client.InNamespace(cluster.GetNamespace())); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the templates of a Cluster", "Cluster", client.ObjectKeyFromObject(cluster))
		return nil
	}
	var requests []ctrl.Request
	for i := range templates.Items {
		template := &templates.Items[i]
		if r.WatchFilterValue != "" && !labels.HasWatchLabel(template, r.WatchFilterValue) {
			continue
		}
		if util.IsOwnedByObject(template, cluster, clusterv1.GroupVersion.WithKind(clusterv1.ClusterKind).GroupKind()) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(template)})
		}
	}
	return requests
}

// Reconcile publishes the capacity of the nodes that one template creates.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (_ ctrl.Result, reterr error) {
	template := &infrav1.NutanixMachineTemplate{}
	if err := r.Client.Get(ctx, request.NamespacedName, template); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !template.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	// A template of a ClusterClass has no Cluster.
	cluster, err := util.GetOwnerCluster(ctx, r.Client, template.ObjectMeta)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("getting the Cluster that owns NutanixMachineTemplate %s: %w", request, err)
	}
	if isPaused, requeue, err := paused.EnsurePausedCondition(ctx, r.Client, cluster, template); err != nil || isPaused || requeue {
		return ctrl.Result{}, err
	}
	helper, err := patch.NewHelper(template, r.Client)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("preparing to patch NutanixMachineTemplate %s: %w", request, err)
	}
	defer func() {
		if err := patchTemplate(context.WithoutCancel(ctx), helper, template); err != nil {
			reterr = kerrors.NewAggregate([]error{reterr, err})
		}
	}()
	publishCapacity(template)
	return ctrl.Result{}, nil
}
