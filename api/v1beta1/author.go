package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// SetAuthor sets the author of a new object to user, whatever the object contained.
func SetAuthor(object metav1.Object, user string) { setAnnotation(object, AuthorAnnotation, user) }

// KeepAuthor restores the author that the old version of the object has. An object without an author does not get one, because its author
// is not known.
func KeepAuthor(object, old metav1.Object) { keepAnnotation(object, old, AuthorAnnotation) }

// SetCreator sets the creator of a new machine to user, whatever the machine contained.
func SetCreator(machine *NutanixMachine, user string) {
	setAnnotation(machine, CreatorAnnotation, user)
}

// KeepCreator restores the creator that the old version of the machine has.
func KeepCreator(machine, old *NutanixMachine) { keepAnnotation(machine, old, CreatorAnnotation) }

// SetTemplateAuthor sets the author of the template of a new machine, whatever the machine contained. template is nil if there is none.
func SetTemplateAuthor(machine *NutanixMachine, template *NutanixMachineTemplate) {
	source := &NutanixMachine{}
	if template != nil && template.Annotations[AuthorAnnotation] != "" {
		setAnnotation(source, TemplateAuthorAnnotation, template.Annotations[AuthorAnnotation])
	}
	keepAnnotation(machine, source, TemplateAuthorAnnotation)
}

// KeepTemplateAuthor restores the author of the template that the old version of the machine has.
func KeepTemplateAuthor(machine, old *NutanixMachine) {
	keepAnnotation(machine, old, TemplateAuthorAnnotation)
}

// ClonedFrom returns the name of the NutanixMachineTemplate from which Cluster API created the machine. It returns an empty string if the
// machine was not created from a template, or if its author has changed it since.
func (m *NutanixMachine) ClonedFrom() string {
	kind := schema.ParseGroupKind(m.Annotations[clusterv1.TemplateClonedFromGroupKindAnnotation])
	if kind != GroupVersion.WithKind("NutanixMachineTemplate").GroupKind() || m.Annotations[AuthorAnnotation] != m.Annotations[CreatorAnnotation] {
		return ""
	}
	return m.Annotations[clusterv1.TemplateClonedFromNameAnnotation]
}

func setAnnotation(object metav1.Object, key, value string) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	object.SetAnnotations(annotations)
}

func keepAnnotation(object, old metav1.Object, key string) {
	if value, ok := old.GetAnnotations()[key]; ok {
		setAnnotation(object, key, value)
		return
	}
	annotations := object.GetAnnotations()
	delete(annotations, key)
	object.SetAnnotations(annotations)
}
