// Package admission wires the defaults and the validation of package v1beta1 into webhooks of the API server. The rules
// themselves are pure functions there, so that controllers apply the same ones.
//
// Common to all kinds: an object that is being deleted is not validated, because its finalizers must be removable; and
// an update is refused for new mistakes alone, so that an object stored before a rule existed, or by another provider,
// stays usable.
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

// SetupWithManager registers the webhooks of all kinds with the webhook server of the manager.
func SetupWithManager(mgr ctrl.Manager) error {
	for kind, setup := range map[string]func(ctrl.Manager) error{
		"NutanixCluster":         setupCluster,
		"NutanixClusterTemplate": setupClusterTemplate,
		"NutanixMachine":         setupMachine,
		"NutanixMachineTemplate": setupMachineTemplate,
		"NutanixFailureDomain":   setupFailureDomain,
	} {
		if err := setup(mgr); err != nil {
			return fmt.Errorf("setting up webhooks of %s: %w", kind, err)
		}
	}
	return nil
}

// invalid makes one error of all findings; nil when there is none.
func invalid(kind string, object metav1.Object, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(infrav1.GroupVersion.WithKind(kind).GroupKind(), object.GetName(), errs)
}

// newErrors returns what is wrong with an updated object and was not with the old one.
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

// topologyDryRun reports whether the request is the dry run by which Cluster API's topology controller finds out whether
// a template has to be replaced; it has to see the change instead of an error
// (https://cluster-api.sigs.k8s.io/developer/providers/contracts/infra-machine#inframachinetemplate-support-for-ssa-dry-run).
func topologyDryRun(ctx context.Context, object metav1.Object) (bool, error) {
	request, err := admission.RequestFromContext(ctx)
	if err != nil {
		return false, apierrors.NewInternalError(fmt.Errorf("reading the admission request: %w", err))
	}
	return topology.IsDryRunRequest(request, object), nil
}
