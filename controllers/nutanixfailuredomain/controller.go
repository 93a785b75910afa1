// Package nutanixfailuredomain reconciles NutanixFailureDomain. It checks that the Prism Element and the subnets of a
// failure domain exist in Prism Central, and prevents the deletion of a failure domain that is in use.
package nutanixfailuredomain

import (
	"context"
	"fmt"

	kerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/cluster-api/util/finalizers"
	"sigs.k8s.io/cluster-api/util/labels"
	"sigs.k8s.io/cluster-api/util/patch"
	"sigs.k8s.io/cluster-api/util/paused"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
)

const kind = "NutanixFailureDomain"

// Inventory looks up entities in Prism Central. *prism.Client implements it.
type Inventory interface {
	// PrismElement resolves a Prism Element.
	PrismElement(ctx context.Context, id infrav1.NutanixResourceIdentifier) (prism.Entity, error)
	// Subnet resolves a subnet for a VM on the Prism Element.
	Subnet(ctx context.Context, id infrav1.NutanixResourceIdentifier, prismElementUUID string) (prism.Entity, error)
}

// Reconciler reconciles NutanixFailureDomain objects.
type Reconciler struct {
	Client client.Client
	// Reader reads past the cache. The controller uses it for the last check before a deletion.
	Reader client.Reader
	// Inventory returns the inventory of a cluster's Prism Central.
	Inventory func(ctx context.Context, cluster *infrav1.NutanixCluster) (Inventory, error)
	Recorder  events.EventRecorder
	// WatchFilterValue limits the reconciler to objects with this value of the label cluster.x-k8s.io/watch-filter.
	WatchFilterValue string
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixfailuredomains,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixfailuredomains/status;nutanixfailuredomains/finalizers,verbs=get;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixclusters,verbs=get;list;watch
// +kubebuilder:rbac:groups=cluster.x-k8s.io,resources=clusters;machines;machinedeployments,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile validates one NutanixFailureDomain. If the failure domain is being deleted and not in use, Reconcile
// removes the finalizer.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (_ ctrl.Result, reterr error) {
	domain := &infrav1.NutanixFailureDomain{}
	if err := r.Client.Get(ctx, request.NamespacedName, domain); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.WatchFilterValue != "" && !labels.HasWatchLabel(domain, r.WatchFilterValue) {
		return ctrl.Result{}, nil // a watched object references the failure domain, but another manager reconciles it
	}
	usage, err := gatherUsage(ctx, r.Client, domain)
	if err != nil {
		return ctrl.Result{}, err
	}
	cluster, err := r.pausingCluster(ctx, domain.Namespace, usage)
	if err != nil {
		return ctrl.Result{}, err
	}
	if isPaused, requeue, err := paused.EnsurePausedCondition(ctx, r.Client, cluster, domain); err != nil || isPaused || requeue {
		return ctrl.Result{}, err
	}
	// The finalizer is added after the pause check, because clusterctl move removes the finalizers of paused objects
	// before it deletes the objects.
	if added, err := finalizers.EnsureFinalizer(ctx, r.Client, domain, infrav1.NutanixFailureDomainFinalizer); err != nil || added {
		return ctrl.Result{}, err
	}
	helper, err := patch.NewHelper(domain, r.Client)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("preparing to patch NutanixFailureDomain %s: %w", request, err)
	}
	before := domain.DeepCopy()
	defer func() {
		if err := patchDomain(context.WithoutCancel(ctx), helper, domain); err != nil {
			reterr = kerrors.NewAggregate([]error{reterr, err})
			return
		}
		r.report(before, domain)
	}()
	if !domain.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.reconcileDelete(ctx, domain, usage)
	}
	publishUsage(domain, usage)
	return ctrl.Result{RequeueAfter: r.validate(ctx, domain, usage.nutanixClusters)}, nil
}
