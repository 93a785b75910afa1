// Package nutanixplanpolicy reconciles NutanixPlanPolicy. It checks whether the expressions of a policy compile. Admission checks this
// when a policy is written. The controller finds policies that were stored without this check or for another version of the kinds.
package nutanixplanpolicy

import (
	"context"
	"fmt"

	"sigs.k8s.io/cluster-api/util/patch"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

const kind = "NutanixPlanPolicy"

// Reconciler reconciles NutanixPlanPolicy objects. It uses no watch filter and no pause, because plans are evaluated with all policies of
// a namespace.
type Reconciler struct {
	Client client.Client
}

// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplanpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=infrastructure.cluster.x-k8s.io,resources=nutanixplanpolicies/status,verbs=get;update;patch

// SetupWithManager starts the reconciler with the manager.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	if err := ctrl.NewControllerManagedBy(mgr).For(&infrav1.NutanixPlanPolicy{}).WithOptions(options).Complete(r); err != nil {
		return fmt.Errorf("setting up controller %s: %w", kind, err)
	}
	return nil
}

// Reconcile writes the Ready condition of one policy.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := &infrav1.NutanixPlanPolicy{}
	if err := r.Client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	helper, err := patch.NewHelper(object, r.Client)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("preparing to patch NutanixPlanPolicy %s: %w", request, err)
	}
	policy.SetReady(object)
	if err := helper.Patch(ctx, object, patch.WithOwnedConditions{Conditions: []string{infrav1.ReadyCondition}}); err != nil {
		return ctrl.Result{}, fmt.Errorf("patching NutanixPlanPolicy %s: %w", request, err)
	}
	return ctrl.Result{}, nil
}
