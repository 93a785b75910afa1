package v1beta1

import (
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TemplateMetadata is the metadata of the objects that are created from a template.
//
// It has the fields of Cluster API's ObjectMeta without the minimum, because typed clients write {} for no metadata.
type TemplateMetadata struct {
	// labels of the objects.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// annotations of the objects.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Validate checks that labels and annotations are valid on an object.
func (m *TemplateMetadata) Validate(path *field.Path) field.ErrorList {
	errs := metav1validation.ValidateLabels(m.Labels, path.Child("labels"))
	return append(errs, apivalidation.ValidateAnnotations(m.Annotations, path.Child("annotations"))...)
}
