package admission

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixfailuredomain,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixfailuredomains,versions=v1beta1,name=validation.nutanixfailuredomain.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

type failureDomainWebhook struct{}

func setupFailureDomain(mgr ctrl.Manager, _ manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixFailureDomain{}).
		WithValidator(failureDomainWebhook{}).Complete()
}

// ValidateCreate implements admission.Validator.
func (failureDomainWebhook) ValidateCreate(_ context.Context, domain *infrav1.NutanixFailureDomain) (admission.Warnings, error) {
	return nil, invalid("NutanixFailureDomain", domain, domain.Validate())
}

// ValidateUpdate implements admission.Validator. The schema makes the spec immutable.
func (failureDomainWebhook) ValidateUpdate(_ context.Context, old, domain *infrav1.NutanixFailureDomain) (admission.Warnings, error) {
	if deleting(domain) {
		return nil, nil
	}
	return nil, invalid("NutanixFailureDomain", domain, newErrors(old.Validate(), domain.Validate()))
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (failureDomainWebhook) ValidateDelete(context.Context, *infrav1.NutanixFailureDomain) (admission.Warnings, error) {
	return nil, nil
}
