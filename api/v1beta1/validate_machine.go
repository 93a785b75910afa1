package v1beta1

import "k8s.io/apimachinery/pkg/util/validation/field"

// Validate checks the machine as far as it can be checked without asking Prism Central.
func (m *NutanixMachine) Validate() field.ErrorList {
	return m.Spec.Validate(field.NewPath("spec"))
}

// Validate checks the template as the machines that are made of it.
func (t *NutanixMachineTemplate) Validate() field.ErrorList {
	path := field.NewPath("spec", "template")
	errs := t.Spec.Template.ObjectMeta.Validate(path.Child("metadata"))
	return append(errs, t.Spec.Template.Spec.Validate(path.Child("spec"))...)
}
