package admission

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixmachinetemplate,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachinetemplates,versions=v1beta1,name=default.nutanixmachinetemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixmachinetemplate,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachinetemplates,versions=v1beta1,name=validation.nutanixmachinetemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

type machineTemplateWebhook struct{}

func setupMachineTemplate(mgr ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixMachineTemplate{}).
		WithDefaulter(machineTemplateWebhook{}).WithValidator(machineTemplateWebhook{}).Complete()
}

// Default implements admission.Defaulter.
func (machineTemplateWebhook) Default(_ context.Context, template *infrav1.NutanixMachineTemplate) error {
	template.Default()
	return nil
}

// ValidateCreate implements admission.Validator.
func (machineTemplateWebhook) ValidateCreate(_ context.Context, template *infrav1.NutanixMachineTemplate) (admission.Warnings, error) {
	var warnings admission.Warnings
	if template.HasPlaceholderImage() {
		warnings = append(warnings, "spec.template.spec.image: names no image, which is right only where a ClusterClass patch sets it")
	}
	return warnings, invalid("NutanixMachineTemplate", template, template.Validate())
}

// ValidateUpdate implements admission.Validator.
func (machineTemplateWebhook) ValidateUpdate(ctx context.Context, old, template *infrav1.NutanixMachineTemplate) (admission.Warnings, error) {
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
	return nil, invalid("NutanixMachineTemplate", template, errs)
}

// ValidateDelete implements admission.Validator; deletes are not sent here.
func (machineTemplateWebhook) ValidateDelete(context.Context, *infrav1.NutanixMachineTemplate) (admission.Warnings, error) {
	return nil, nil
}
