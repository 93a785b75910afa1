package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NutanixClusterTemplateSpec is the desired state of a NutanixClusterTemplate.
type NutanixClusterTemplateSpec struct {
	// template is the template of the NutanixCluster.
	// +required
	Template NutanixClusterTemplateResource `json:"template"`
}

// NutanixClusterTemplateResource is metadata and spec of the NutanixCluster that is created from a template.
type NutanixClusterTemplateResource struct {
	// metadata is copied to the NutanixCluster.
	// +optional
	ObjectMeta TemplateMetadata `json:"metadata,omitempty,omitzero"`

	// spec of the NutanixCluster.
	// +required
	Spec NutanixClusterSpec `json:"spec"`
}

// NutanixClusterTemplate is a template for NutanixClusters, for use in a ClusterClass. Its template is immutable.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:path=nutanixclustertemplates,shortName=nctmpl,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Prism",type=string,JSONPath=`.spec.template.spec.prismCentral.address`,description="Address of Prism Central"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NutanixClusterTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state of the template.
	// +required
	Spec NutanixClusterTemplateSpec `json:"spec"`
}

// NutanixClusterTemplateList is a list of NutanixClusterTemplates.
// +kubebuilder:object:root=true
type NutanixClusterTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixClusterTemplate `json:"items"`
}
