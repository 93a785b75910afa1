package v1beta1

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateIdentity checks that the annotations that identify the Terraform state and the virtual machine of an object do not change to
// other values. Otherwise the object would leave its infrastructure behind, or take over that of another object. clusterctl move may
// remove them.
func ValidateIdentity(old, updated metav1.Object) field.ErrorList {
	var errs field.ErrorList
	for _, key := range []string{WorkspaceKeyAnnotation, StateSuffixAnnotation} {
		before, after := old.GetAnnotations()[key], updated.GetAnnotations()[key]
		if before != "" && after != "" && before != after {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(key), after,
				"cannot change, because it identifies the infrastructure of the object: restore "+before))
		}
	}
	return errs
}

// ValidatePrismAPI checks that the generation of the Prism API in the annotations of an object with a Terraform state does not change. Its
// state would not match its workspace any more. Only the manager may change the generation, because it changes the state, too.
func ValidatePrismAPI(old, updated metav1.Object) field.ErrorList {
	for _, object := range []metav1.Object{old, updated} {
		if object.GetAnnotations()[WorkspaceKeyAnnotation] == "" {
			return nil
		}
	}
	annotations := field.NewPath("metadata", "annotations")
	if before, after := MigratingPrismAPI(old), MigratingPrismAPI(updated); before != after {
		return field.ErrorList{field.Invalid(annotations.Key(PrismAPIMigrationAnnotation), after,
			"cannot change, because the manager records with it what it migrates: set spec.terraform.api of the NutanixCluster")}
	}
	before, after := RecordedPrismAPI(old), RecordedPrismAPI(updated)
	if before == after {
		return nil
	}
	path := annotations.Key(PrismAPIAnnotation)
	return field.ErrorList{field.Invalid(path, updated.GetAnnotations()[PrismAPIAnnotation],
		fmt.Sprintf("cannot change, because the Terraform state of the object has resources of the %s API: restore %s", before, before))}
}

// RecordedPrismAPI returns the generation of the Prism API that an object's workspace uses according to its annotations. Objects without
// an annotation use v3. The result has a meaning only for objects with the annotation or a workspace key (HasPrismAPI).
func RecordedPrismAPI(object metav1.Object) PrismAPI {
	if object.GetAnnotations()[PrismAPIAnnotation] == string(PrismAPIV4) {
		return PrismAPIV4
	}
	return PrismAPIV3
}

// MigratingPrismAPI returns the generation of the Prism API to which an object is being migrated, or an empty string.
func MigratingPrismAPI(object metav1.Object) PrismAPI {
	return PrismAPI(object.GetAnnotations()[PrismAPIMigrationAnnotation])
}

// WorkspacePrismAPI returns the generation of the Prism API for the next run of an object: that to which the object is being migrated, or
// the recorded one.
func WorkspacePrismAPI(object metav1.Object) PrismAPI {
	if api := MigratingPrismAPI(object); api != "" {
		return api
	}
	return RecordedPrismAPI(object)
}

// HasPrismAPI reports whether the generation of the Prism API of an object is recorded. Terraform may have run for an object with a
// workspace key, so the generation of such an object must not be chosen again.
func HasPrismAPI(object metav1.Object) bool {
	return object.GetAnnotations()[PrismAPIAnnotation] != "" || object.GetAnnotations()[WorkspaceKeyAnnotation] != ""
}

// ValidateUpdate checks that a control plane endpoint does not change after it was set, because certificates and kubeconfigs of
// the cluster contain it. The address of Prism Central may change, because Prism Central may be renamed or moved.
// PrismAddressChanged reports whether the update needs a warning.
func (c *NutanixCluster) ValidateUpdate(old *NutanixCluster) field.ErrorList {
	var errs field.ErrorList
	if endpoint := old.Spec.ControlPlaneEndpoint; endpoint.IsSet() && c.Spec.ControlPlaneEndpoint != endpoint {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "controlPlaneEndpoint"),
			fmt.Sprintf("cannot change once set: restore %s", endpoint.String())))
	}
	if c.Spec.ControlPlaneAntiAffinity == AntiAffinityPreferred && old.Spec.ControlPlaneAntiAffinity != AntiAffinityPreferred && old.usesV3() {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "controlPlaneAntiAffinity"),
			"needs the v4 API of Prism Central, and this cluster uses the v3 API: leave it out"))
	}
	return errs
}

// usesV3 reports whether Terraform has run for the cluster through the v3 API.
func (c *NutanixCluster) usesV3() bool {
	return HasPrismAPI(c) && RecordedPrismAPI(c) != PrismAPIV4
}

// PrismAddressChanged reports whether the update changes the address of Prism Central of a provisioned cluster.
func (c *NutanixCluster) PrismAddressChanged(old *NutanixCluster) bool {
	provisioned := old.Status.Initialization.Provisioned
	return provisioned != nil && *provisioned && c.Spec.PrismCentral != nil && old.Spec.PrismCentral != nil &&
		c.Spec.PrismCentral.Address != old.Spec.PrismCentral.Address
}

// EditedFailureDomains returns the names of the failure domains in spec.failureDomains that the update moves or removes. Existing
// machines are not moved.
func (c *NutanixCluster) EditedFailureDomains(old *NutanixCluster) []string {
	var names []string
	for _, before := range old.Spec.FailureDomains {
		kept := slices.ContainsFunc(c.Spec.FailureDomains, func(after NutanixFailureDomainConfig) bool {
			return after.Name == before.Name && equality.Semantic.DeepEqual(after.Cluster, before.Cluster) &&
				equality.Semantic.DeepEqual(after.Subnets, before.Subnets)
		})
		if !kept {
			names = append(names, before.Name)
		}
	}
	return names
}

// ValidateUpdate checks that the spec of the template did not change, except for a control plane endpoint that was not set.
func (t *NutanixClusterTemplate) ValidateUpdate(old *NutanixClusterTemplate) field.ErrorList {
	before, after := old.DeepCopy(), t.DeepCopy()
	before.Default()
	after.Default()
	if endpoint := &before.Spec.Template.Spec.ControlPlaneEndpoint; !endpoint.IsSet() {
		*endpoint = after.Spec.Template.Spec.ControlPlaneEndpoint
	}
	return validateTemplateUpdate(before.Spec.Template.Spec, after.Spec.Template.Spec)
}

// ValidateUpdate checks that the spec of the template did not change.
func (t *NutanixMachineTemplate) ValidateUpdate(old *NutanixMachineTemplate) field.ErrorList {
	before, after := old.DeepCopy(), t.DeepCopy()
	before.Default()
	after.Default()
	return validateTemplateUpdate(before.Spec.Template.Spec, after.Spec.Template.Spec)
}

func validateTemplateUpdate[T any](before, after T) field.ErrorList {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	return field.ErrorList{field.Forbidden(field.NewPath("spec", "template", "spec"),
		"is immutable: create another template and refer to it")}
}

// ValidateUpdate checks which fields of a machine changed. Before a create is sent, or after it failed, all fields may change, so
// that a mistake can be corrected. Afterwards only the fields that controllers write (providerID, bootstrapRef) and the categories
// may change. For other changes the machine has to be replaced, as usual in Cluster API.
//
// vmOf returns the UUID of the VM in a provider ID, and false for placeholders. It is a parameter because the codec of provider
// IDs is not part of the API.
func (m *NutanixMachine) ValidateUpdate(old *NutanixMachine, vmOf func(providerID string) (uuid string, ok bool)) field.ErrorList {
	before, identified := vmOf(old.Spec.ProviderID)
	if !old.hasVM(vmOf) {
		return nil
	}
	var errs field.ErrorList
	if after, _ := vmOf(m.Spec.ProviderID); identified && after != before {
		errs = append(errs, field.Invalid(field.NewPath("spec", "providerID"), m.Spec.ProviderID,
			fmt.Sprintf("cannot change once it identifies a VM: restore %s", old.Spec.ProviderID)))
	}
	return append(errs, immutableFields(&old.Spec, &m.Spec)...)
}

// BootstrapImageChanged reports whether the update changes the bootstrap image of a machine whose VM exists. Such a change is
// accepted without effect, because the VM was created with the image.
func (m *NutanixMachine) BootstrapImageChanged(old *NutanixMachine, vmOf func(providerID string) (uuid string, ok bool)) bool {
	return old.hasVM(vmOf) && m.Spec.bootstrapImage() != old.Spec.bootstrapImage()
}

// bootstrapImage returns the name of the image that contains the bootstrap data, or an empty string.
func (s *NutanixMachineSpec) bootstrapImage() string {
	if s.BootstrapRef == nil || s.BootstrapRef.Kind != NutanixMachineBootstrapRefKindImage {
		return ""
	}
	return s.BootstrapRef.Name
}

// hasVM reports whether the machine has a VM or Prism Central is creating its VM.
func (m *NutanixMachine) hasVM(vmOf func(providerID string) (uuid string, ok bool)) bool {
	_, identified := vmOf(m.Spec.ProviderID)
	_, creating := m.Annotations[CreateIntentAnnotation]
	return identified || creating || m.Status.VMUUID != ""
}

// immutableFields returns an error for each immutable field that changed.
func immutableFields(old, updated *NutanixMachineSpec) field.ErrorList {
	before, after := old.DeepCopy(), updated.DeepCopy()
	before.Default()
	after.Default()
	var errs field.ErrorList
	for _, fixed := range []struct {
		name          string
		before, after any
	}{
		{"vcpusPerSocket", before.VCPUsPerSocket, after.VCPUsPerSocket},
		{"vcpuSockets", before.VCPUSockets, after.VCPUSockets},
		{"memorySize", before.MemorySize, after.MemorySize},
		{"image", before.Image, after.Image},
		{"imageLookup", before.ImageLookup, after.ImageLookup},
		{"bootType", before.BootType, after.BootType},
		{"systemDiskSize", before.SystemDiskSize, after.SystemDiskSize},
		{"dataDisks", before.DataDisks, after.DataDisks},
		{"gpus", before.GPUs, after.GPUs},
		{"cluster", before.Cluster, after.Cluster},
		{"subnet", before.Subnets, after.Subnets},
		{"project", before.Project, after.Project},
	} {
		if !equality.Semantic.DeepEqual(fixed.before, fixed.after) {
			errs = append(errs, field.Forbidden(field.NewPath("spec", fixed.name),
				"is immutable once the VM exists: replace the machine, for example with a new NutanixMachineTemplate"))
		}
	}
	return errs
}
