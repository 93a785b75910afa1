package admission

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixclustertemplate,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixclustertemplates,versions=v1beta1,name=default.nutanixclustertemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixclustertemplate,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixclustertemplates,versions=v1beta1,name=validation.nutanixclustertemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixmachinetemplate,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachinetemplates,versions=v1beta1,name=default.nutanixmachinetemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixmachinetemplate,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachinetemplates,versions=v1beta1,name=validation.nutanixmachinetemplate.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

func setupClusterTemplate(mgr ctrl.Manager, _ manager) error {
	return setupTemplate(mgr, &infrav1.NutanixClusterTemplate{}, templateWebhook[*infrav1.NutanixClusterTemplate]{
		kind:  "NutanixClusterTemplate",
		stamp: func(context.Context, *infrav1.NutanixClusterTemplate) error { return nil },
		warn:  func(*infrav1.NutanixClusterTemplate) admission.Warnings { return nil },
	})
}

func setupMachineTemplate(mgr ctrl.Manager, manager manager) error {
	return setupTemplate(mgr, &infrav1.NutanixMachineTemplate{}, templateWebhook[*infrav1.NutanixMachineTemplate]{
		kind: "NutanixMachineTemplate",
		stamp: func(ctx context.Context, template *infrav1.NutanixMachineTemplate) error {
			unchanged := func() bool { return false } // the spec is immutable
			return manager.stampAuthor(ctx, template, &infrav1.NutanixMachineTemplate{}, unchanged)
		},
		warn: warnOfPlaceholder,
	})
}

func warnOfPlaceholder(template *infrav1.NutanixMachineTemplate) admission.Warnings {
	if !template.HasPlaceholderImage() {
		return nil
	}
	return admission.Warnings{"spec.template.spec.image: names no image: a ClusterClass patch must set it"}
}

// template is a kind whose objects are immutable. Only dry runs of Cluster API's topology controller may change them.
type template[T runtime.Object] interface {
	client.Object
	Default()
	Validate() field.ErrorList
	ValidateUpdate(old T) field.ErrorList
}

type templateWebhook[T template[T]] struct {
	kind string
	// stamp sets or keeps the author of a template.
	stamp func(context.Context, T) error
	warn  func(T) admission.Warnings
}

func setupTemplate[T template[T]](mgr ctrl.Manager, object T, webhook templateWebhook[T]) error {
	return ctrl.NewWebhookManagedBy(mgr, object).WithDefaulter(webhook).WithValidator(webhook).Complete()
}

// Default implements admission.Defaulter.
func (w templateWebhook[T]) Default(ctx context.Context, template T) error {
	template.Default()
	return w.stamp(ctx, template)
}

// ValidateCreate implements admission.Validator.
func (w templateWebhook[T]) ValidateCreate(_ context.Context, template T) (admission.Warnings, error) {
	return w.warn(template), invalid(w.kind, template, template.Validate())
}

// ValidateUpdate implements admission.Validator.
func (w templateWebhook[T]) ValidateUpdate(ctx context.Context, old, template T) (admission.Warnings, error) {
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
	return nil, invalid(w.kind, template, errs)
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (templateWebhook[T]) ValidateDelete(context.Context, T) (admission.Warnings, error) {
	return nil, nil
}
