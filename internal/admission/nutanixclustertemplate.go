package admission

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixclustertemplate,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixclustertemplates,versions=v1beta1,name=default.nutanixclustertemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixclustertemplate,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixclustertemplates,versions=v1beta1,name=validation.nutanixclustertemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

type clusterTemplateWebhook struct{}

func setupClusterTemplate(mgr ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixClusterTemplate{}).
		WithDefaulter(clusterTemplateWebhook{}).WithValidator(clusterTemplateWebhook{}).Complete()
}

// Default implements admission.Defaulter.
func (clusterTemplateWebhook) Default(_ context.Context, template *infrav1.NutanixClusterTemplate) error {
	template.Spec.Template.Spec.Default()
	return nil
}

// ValidateCreate implements admission.Validator.
func (clusterTemplateWebhook) ValidateCreate(_ context.Context, template *infrav1.NutanixClusterTemplate) (admission.Warnings, error) {
	return nil, invalid("NutanixClusterTemplate", template, template.Validate())
}

// ValidateUpdate implements admission.Validator.
func (clusterTemplateWebhook) ValidateUpdate(ctx context.Context, old, template *infrav1.NutanixClusterTemplate) (admission.Warnings, error) {
	if deleting(template) {
		return nil, nil
	}
	errs := newErrors(old.Validate(), template.Validate())
	dryRun, err := topologyDryRun(ctx, template)
	if err != nil {
		return nil, err
	}
	if !dryRun {
		errs = append(template.ValidateUpdate(old), errs...)
	}
	return nil, invalid("NutanixClusterTemplate", template, errs)
}

// ValidateDelete implements admission.Validator; deletes are not sent here.
func (clusterTemplateWebhook) ValidateDelete(context.Context, *infrav1.NutanixClusterTemplate) (admission.Warnings, error) {
	return nil, nil
}
