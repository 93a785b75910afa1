package v1beta1

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate checks the machine without a request to Prism Central.
func (m *NutanixMachine) Validate() field.ErrorList {
	return m.Spec.Validate(field.NewPath("spec"))
}

// Validate checks the template like a machine that would be created from it.
func (t *NutanixMachineTemplate) Validate() field.ErrorList {
	path := field.NewPath("spec", "template")
	errs := t.Spec.Template.ObjectMeta.Validate(path.Child("metadata"))
	errs = append(errs, validateNoVM(path.Child("spec", "providerID"), t.Spec.Template.Spec.ProviderID)...)
	return append(errs, t.Spec.Template.Spec.Validate(path.Child("spec"))...)
}

// validateNoVM checks that a provider ID in a template does not contain the UUID of a VM. Otherwise every machine of
// the template would import that VM, and the deletion of a machine would destroy the VM.
func validateNoVM(path *field.Path, providerID string) field.ErrorList {
	uuid := providerID[strings.LastIndex(providerID, "/")+1:]
	if uuid == PlaceholderUUID || !uuidPattern.MatchString(uuid) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, providerID, "names a VM, which every machine of this template would import: leave it out")}
}
