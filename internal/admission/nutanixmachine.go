package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
	// reader reads past the cache. A template can be newer than the cache when Cluster API clones it, and the cache may be limited to a
	// namespace.
	reader client.Reader
}

func setupMachine(mgr ctrl.Manager, manager manager) error {
	webhook := machineWebhook{manager: manager, reader: mgr.GetAPIReader()}
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
		infrav1.WorkspaceKeyAnnotation, infrav1.PrismAPIAnnotation, infrav1.PrismAPIMigrationAnnotation} {
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
	if err := w.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, template); client.IgnoreNotFound(err) != nil {
		return apierrors.NewInternalError(fmt.Errorf("reading NutanixMachineTemplate %s/%s, from which the machine was cloned: %w", namespace, name, err))
	}
	infrav1.SetTemplateAuthor(machine, template)
	return nil
}

// ValidateCreate implements admission.Validator.
func (w machineWebhook) ValidateCreate(ctx context.Context, machine *infrav1.NutanixMachine) (admission.Warnings, error) {
	if err := w.validateKey(ctx, machine); err != nil {
		return nil, err
	}
	return nil, invalid("NutanixMachine", machine, machine.Validate())
}

// validateKey checks that a machine that brings its workspace key, for example from another management cluster, is the only one with this key.
// Otherwise both machines would have the same VM, and the deletion of one of them would destroy it. The manager makes a new key for each
// machine without one, so its requests are not checked.
func (w machineWebhook) validateKey(ctx context.Context, machine *infrav1.NutanixMachine) error {
	key := machine.Annotations[infrav1.WorkspaceKeyAnnotation]
	if key == "" {
		return nil
	}
	if request, err := requestOf(ctx); err != nil || w.manager.sent(request) {
		return err
	}
	others := &metav1.PartialObjectMetadataList{}
	others.SetGroupVersionKind(infrav1.GroupVersion.WithKind("NutanixMachineList"))
	if err := w.reader.List(ctx, others); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("looking for another NutanixMachine with workspace key %s: %w", key, err))
	}
	for i := range others.Items {
		other := &others.Items[i]
		if other.Annotations[infrav1.WorkspaceKeyAnnotation] == key && client.ObjectKeyFromObject(other) != client.ObjectKeyFromObject(machine) {
			return invalid("NutanixMachine", machine, field.ErrorList{field.Invalid(field.NewPath("metadata", "annotations").
				Key(infrav1.WorkspaceKeyAnnotation), key, "another NutanixMachine has the same VM: leave the annotation out to create another VM")})
		}
	}
	return nil
}

// ValidateUpdate implements admission.Validator.
func (w machineWebhook) ValidateUpdate(ctx context.Context, old, machine *infrav1.NutanixMachine) (admission.Warnings, error) {
	if err := w.manager.validateRecords(ctx, "NutanixMachine", old, machine); err != nil {
		return nil, err
	}
	if deleting(machine) {
		return nil, nil
	}
	if old.Annotations[infrav1.WorkspaceKeyAnnotation] == "" {
		if err := w.validateKey(ctx, machine); err != nil {
			return nil, err
		}
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
