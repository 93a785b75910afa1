// Package nutanixcluster reconciles NutanixCluster. It manages the credentials, failure domains and control plane
// endpoint of a cluster, and the Terraform workspace of the cluster.
package nutanixcluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kerrors "k8s.io/apimachinery/pkg/util/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/cluster-api/util/finalizers"
	"sigs.k8s.io/cluster-api/util/patch"
	"sigs.k8s.io/cluster-api/util/predicates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/renderer"
)

// kind is the name of the kind in pipeline targets, Terraform states and metrics.
const kind = "NutanixCluster"

// Reconciler reconciles NutanixCluster objects.
type Reconciler struct {
	provisioning.Dependencies
	refusals   refusals
	migrations provisioning.Migrations
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixclusters,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixclusters/status;nutanixclusters/finalizers,verbs=get;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixfailuredomains,verbs=get;list;watch
// +kubebuilder:rbac:groups=cluster.x-k8s.io,resources=clusters;clusters/status,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=selfsubjectreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// SetupWithManager starts the reconciler with the manager.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, options controller.Options) error {
	log := mgr.GetLogger().WithValues("controller", kind)
	scheme := mgr.GetScheme()
	clusterToInfrastructure := util.ClusterToInfrastructureMapFunc(ctx, infrav1.GroupVersion.WithKind(kind), r.Client, &infrav1.NutanixCluster{})
	err := r.WatchPlans(ctrl.NewControllerManagedBy(mgr), kind).
		For(&infrav1.NutanixCluster{}, builder.WithPredicates(
			predicates.ResourceHasFilterLabel(scheme, log, r.WatchFilterValue),
			predicates.ResourceIsNotExternallyManaged(scheme, log))).
		WithOptions(options).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(clusterToInfrastructure),
			builder.WithPredicates(predicates.ClusterPausedTransitions(scheme, log))).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.usersOfSecret)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.usersOfConfigMap)).
		Watches(&infrav1.NutanixFailureDomain{}, handler.EnqueueRequestsFromMapFunc(r.usersOfFailureDomain)).
		Watches(&infrav1.NutanixMachine{}, handler.EnqueueRequestsFromMapFunc(r.clusterOfMachine), builder.WithPredicates(
			predicate.Or(provisioning.OnlyDeletes, provisioning.MigrationEnded))).
		WatchesRawSource(source.Channel(r.Pipeline.Scheduler.Events(kind), &handler.EnqueueRequestForObject{})).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// Reconcile reconciles one NutanixCluster.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (_ ctrl.Result, reterr error) {
	nutanixCluster := &infrav1.NutanixCluster{}
	if err := r.Client.Get(ctx, request.NamespacedName, nutanixCluster); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.Ignores(nutanixCluster) {
		return ctrl.Result{}, nil
	}
	if provisioning.Moved(nutanixCluster) {
		return ctrl.Result{}, r.ReleaseMoved(ctx, nutanixCluster, kind, infrav1.NutanixClusterFinalizer)
	}
	cluster, err := r.owner(ctx, nutanixCluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	if cluster == nil {
		ctrl.LoggerFrom(ctx).V(4).Info("Waiting for Cluster API to set the owner")
		return ctrl.Result{}, nil
	}
	ctx = ctrl.LoggerInto(ctx, ctrl.LoggerFrom(ctx).WithValues("Cluster", ctrl.Request{NamespacedName: client.ObjectKeyFromObject(cluster)}.String()))

	if nutanixCluster.DeletionTimestamp.IsZero() {
		if added, err := finalizers.EnsureFinalizer(ctx, r.Client, nutanixCluster, infrav1.NutanixClusterFinalizer); err != nil || added {
			return ctrl.Result{}, err
		}
	}
	if ended, err := r.Pause(ctx, cluster, nutanixCluster, kind, infrav1.NutanixClusterFinalizer); err != nil || ended {
		return ctrl.Result{}, err
	}
	helper, err := patch.NewHelper(nutanixCluster, r.Client)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("preparing to patch NutanixCluster %s: %w", request, err)
	}
	scope := &scope{cluster: cluster, nutanixCluster: nutanixCluster}
	defer func() {
		if err := provisioning.Patch(context.WithoutCancel(ctx), helper, nutanixCluster, &nutanixCluster.Status.Ready, milestones); err != nil {
			reterr = kerrors.NewAggregate([]error{reterr, err})
		}
	}()
	if !nutanixCluster.DeletionTimestamp.IsZero() {
		return r.reconcileDelete(ctx, scope)
	}
	return r.reconcile(ctx, scope)
}

// reconcile runs the steps towards a provisioned cluster in order. It stops at the first step that cannot finish now.
func (r *Reconciler) reconcile(ctx context.Context, s *scope) (ctrl.Result, error) {
	for _, step := range []func(context.Context, *scope) (ctrl.Result, error){
		r.migrate,
		r.resolveCredentials,
		r.validateFailureDomains,
		r.requireEndpoint,
		r.record,
		r.provision,
		r.publish,
	} {
		result, err := step(ctx, s)
		if err != nil || !result.IsZero() || s.unfinished {
			return result, err
		}
	}
	return ctrl.Result{RequeueAfter: s.untilMigration()}, nil
}

// scope contains the objects and the interim results of one reconcile.
type scope struct {
	cluster        *clusterv1.Cluster
	nutanixCluster *infrav1.NutanixCluster
	access         *accessToPrism
	// choice is the Prism API of the cluster. record records it before the first run.
	choice provisioning.APIChoice
	// controlPlane is the category of the control plane in the workspace, or nil.
	controlPlane *renderer.ControlPlane
	// untilCheck is the time until the next check of the workspace.
	untilCheck time.Duration
	// unfinished is true if a step waits for an event. The event triggers the next reconcile.
	unfinished bool
}

// stop sets a condition to False and ends the reconcile. The next reconcile follows an event or the retry interval of
// the problem.
func (s *scope) stop(conditionType string, problem *provisioning.Problem) (ctrl.Result, error) {
	provisioning.Set(s.nutanixCluster, conditionType, metav1.ConditionFalse, problem.Reason, problem.Message)
	return ctrl.Result{RequeueAfter: problem.After()}, nil
}
