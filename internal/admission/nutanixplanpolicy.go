package admission

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixplanpolicy,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixplanpolicies,versions=v1beta1,name=validation.nutanixplanpolicy.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

// planPolicyWebhook compiles the expressions of policies.
type planPolicyWebhook struct{}

func setupPlanPolicy(mgr ctrl.Manager, _ manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixPlanPolicy{}).
		WithValidator(planPolicyWebhook{}).Complete()
}

// ValidateCreate implements admission.Validator.
func (planPolicyWebhook) ValidateCreate(_ context.Context, object *infrav1.NutanixPlanPolicy) (admission.Warnings, error) {
	return policy.Warnings(object), invalid("NutanixPlanPolicy", object, policy.ValidateNew(object))
}

// ValidateUpdate implements admission.Validator.
func (planPolicyWebhook) ValidateUpdate(_ context.Context, old, object *infrav1.NutanixPlanPolicy) (admission.Warnings, error) {
	if deleting(object) {
		return nil, nil
	}
	return policy.Warnings(object), invalid("NutanixPlanPolicy", object, newErrors(policy.ValidateNew(old), policy.ValidateNew(object)))
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (planPolicyWebhook) ValidateDelete(context.Context, *infrav1.NutanixPlanPolicy) (admission.Warnings, error) {
	return nil, nil
}
