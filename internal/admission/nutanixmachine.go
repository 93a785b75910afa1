package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/providerid"
)

// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixmachine,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachines,versions=v1beta1,name=default.nutanixmachine.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixmachine,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixmachines,versions=v1beta1,name=validation.nutanixmachine.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

type machineWebhook struct {
	manager manager
	// templates reads NutanixMachineTemplates past the cache. A template can be newer than the cache when Cluster API clones it.
	templates client.Reader
}

func setupMachine(mgr ctrl.Manager, manager manager) error {
	webhook := machineWebhook{manager: manager, templates: mgr.GetAPIReader()}
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixMachine{}).WithDefaulter(webhook).WithValidator(webhook).Complete()
}

// Default implements admission.Defaulter.
func (w machineWebhook) Default(ctx context.Context, machine *infrav1.NutanixMachine) error {
	machine.Spec.Default()
	request, err := requestOf(ctx)
	if err != nil {
		return err
	}
	old := &infrav1.NutanixMachine{}
	if err := w.manager.stampAuthor(ctx, machine, old, func() bool {
		old.Spec.Default()
		return !equality.Semantic.DeepEqual(old.Spec, machine.Spec) || inputsChanged(old, machine)
	}); err != nil {
		return err
	}
	if request.Operation == admissionv1.Create {
		infrav1.SetCreator(machine, request.UserInfo.Username)
		return w.stampTemplateAuthor(ctx, request.Namespace, machine)
	}
	infrav1.KeepCreator(machine, old)
	infrav1.KeepTemplateAuthor(machine, old)
	return nil
}

// inputsChanged reports whether annotations differ from which the workspace of a machine is rendered. A user who edits them changes the
// machine like a user who edits its spec.
func inputsChanged(old, machine *infrav1.NutanixMachine) bool {
	for _, key := range []string{infrav1.PinnedInputsAnnotation, infrav1.ProviderVersionAnnotation, infrav1.StateSuffixAnnotation,
		infrav1.WorkspaceKeyAnnotation} {
		if old.Annotations[key] != machine.Annotations[key] {
			return true
		}
	}
	return false
}

// stampTemplateAuthor sets the author of the template from which a new machine was cloned.
func (w machineWebhook) stampTemplateAuthor(ctx context.Context, namespace string, machine *infrav1.NutanixMachine) error {
	name := machine.ClonedFrom()
	if name == "" {
		infrav1.SetTemplateAuthor(machine, nil)
		return nil
	}
	template := &infrav1.NutanixMachineTemplate{}
	if err := w.templates.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, template); client.IgnoreNotFound(err) != nil {
		return apierrors.NewInternalError(fmt.Errorf("reading NutanixMachineTemplate %s/%s, from which the machine was cloned: %w", namespace, name, err))
	}
	infrav1.SetTemplateAuthor(machine, template)
	return nil
}

// ValidateCreate implements admission.Validator.
func (machineWebhook) ValidateCreate(_ context.Context, machine *infrav1.NutanixMachine) (admission.Warnings, error) {
	return nil, invalid("NutanixMachine", machine, machine.Validate())
}

// ValidateUpdate implements admission.Validator.
func (machineWebhook) ValidateUpdate(_ context.Context, old, machine *infrav1.NutanixMachine) (admission.Warnings, error) {
	if errs := infrav1.ValidateIdentity(old, machine); len(errs) > 0 {
		return nil, invalid("NutanixMachine", machine, errs)
	}
	if deleting(machine) {
		return nil, nil
	}
	var warnings admission.Warnings
	if machine.BootstrapImageChanged(old, providerid.Parse) {
		warnings = append(warnings, "spec.bootstrapRef: the change has no effect, because the VM exists: replace the machine")
	}
	return warnings, invalid("NutanixMachine", machine, append(machine.ValidateUpdate(old, providerid.Parse), newErrors(old.Validate(), machine.Validate())...))
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (machineWebhook) ValidateDelete(context.Context, *infrav1.NutanixMachine) (admission.Warnings, error) {
	return nil, nil
}
