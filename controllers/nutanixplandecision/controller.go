// Package nutanixplandecision records NutanixPlanDecisions in the audit trail. A finalizer keeps a decision until it is recorded.
package nutanixplandecision

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/plan"
)

const kind = "NutanixPlanDecision"

// Reconciler reconciles NutanixPlanDecision objects.
type Reconciler struct {
	Client client.Client
	Trail  plan.Trail
	// Revision returns the Git revision of an object, or an empty string.
	Revision func(ctx context.Context, object client.Object) string

	mu sync.Mutex
	// recorded contains the decisions that are recorded and whose finalizer the cache still contains.
	recorded map[client.ObjectKey]types.UID
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplandecisions,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplandecisions/finalizers,verbs=update

// SetupWithManager starts the reconciler with the manager.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	if err := ctrl.NewControllerManagedBy(mgr).For(&infrav1.NutanixPlanDecision{}).WithOptions(options).Complete(r); err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// Reconcile records a decision and removes its finalizer. Admission has added the finalizer. If the manager ends in between, the decision is
// recorded twice.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	decision := &infrav1.NutanixPlanDecision{}
	if err := r.Client.Get(ctx, request.NamespacedName, decision); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if !controllerutil.ContainsFinalizer(decision, infrav1.NutanixPlanDecisionFinalizer) {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err := r.record(ctx, decision); err != nil {
		return ctrl.Result{}, err
	}
	before := decision.DeepCopy()
	controllerutil.RemoveFinalizer(decision, infrav1.NutanixPlanDecisionFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, decision, patch); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("removing the finalizer of NutanixPlanDecision %s: %w", request, err)
	}
	return ctrl.Result{}, nil
}

// record records a decision once. The next reconciles of the decision record nothing, for example if the finalizer could not be removed
// because a plan has used the decision in between.
func (r *Reconciler) record(ctx context.Context, decision *infrav1.NutanixPlanDecision) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(decision)
	if uid, found := r.recorded[key]; found && uid == decision.UID {
		return nil
	}
	if err := plan.AuditDecision(ctx, r.Trail, decision, r.Revision(ctx, decision)); err != nil {
		return err
	}
	if r.recorded == nil {
		r.recorded = map[client.ObjectKey]types.UID{}
	}
	r.recorded[key] = decision.UID
	return nil
}

func (r *Reconciler) forget(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.recorded, key)
}
