// Package admission registers webhooks for the defaults and the validation in package v1beta1. The rules are pure functions of that
// package, so that controllers can apply the same rules.
//
// Objects that are being deleted are not validated, because it must be possible to remove their finalizers. Only the annotations that
// identify their infrastructure cannot change. An update is rejected only for errors that the old object does not have. Therefore an object
// can be updated even if it was stored before a rule existed or by another provider.
//
// +kubebuilder:webhookconfiguration:mutating=true,name=capnt-mutating-webhook-configuration
// +kubebuilder:webhookconfiguration:mutating=false,name=capnt-validating-webhook-configuration
package admission

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/cluster-api/util/topology"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// SetupWithManager registers the webhooks of all kinds with the webhook server of the manager. It asks the API server for the user name of
// the manager, because only this user may write plans.
func SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	user, err := findManager(ctx, mgr.GetClient())
	if err != nil {
		return fmt.Errorf("setting up webhooks: %w", err)
	}
	for kind, setup := range map[string]func(ctrl.Manager, manager) error{
		"NutanixCluster":         setupCluster,
		"NutanixClusterTemplate": setupClusterTemplate,
		"NutanixMachine":         setupMachine,
		"NutanixMachineTemplate": setupMachineTemplate,
		"NutanixFailureDomain":   setupFailureDomain,
		"NutanixPlan":            setupPlan,
		"NutanixPlanDecision":    setupDecision,
		"NutanixPlanPolicy":      setupPlanPolicy,
	} {
		if err := setup(mgr, user); err != nil {
			return fmt.Errorf("setting up webhooks of %s: %w", kind, err)
		}
	}
	return nil
}

// invalid returns one error that contains all errs, or nil if errs is empty.
func invalid(kind string, object metav1.Object, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(infrav1.GroupVersion.WithKind(kind).GroupKind(), object.GetName(), errs)
}

// newErrors returns the errors in updated that are not in old.
func newErrors(old, updated field.ErrorList) field.ErrorList {
	known := map[string]bool{}
	for _, err := range old {
		known[err.Error()] = true
	}
	return slices.DeleteFunc(updated, func(err *field.Error) bool { return known[err.Error()] })
}

// deleting reports whether an object is being deleted.
func deleting(object metav1.Object) bool {
	return !object.GetDeletionTimestamp().IsZero()
}

// topologyDryRun reports whether the request is a dry run of Cluster API's topology controller. This controller uses dry runs to find out
// whether a template must be replaced. Therefore a change of an immutable field must not be rejected in a dry run
// (https://cluster-api.sigs.k8s.io/developer/providers/contracts/infra-machine#inframachinetemplate-support-for-ssa-dry-run).
func topologyDryRun(ctx context.Context, object metav1.Object) (bool, error) {
	request, err := admission.RequestFromContext(ctx)
	if err != nil {
		return false, apierrors.NewInternalError(fmt.Errorf("reading the admission request: %w", err))
	}
	return topology.IsDryRunRequest(request, object), nil
}
