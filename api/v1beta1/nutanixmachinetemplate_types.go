package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NutanixMachineTemplateSpec is the desired state of a NutanixMachineTemplate.
type NutanixMachineTemplateSpec struct {
	// template is the template of the NutanixMachines.
	// +required
	Template NutanixMachineTemplateResource `json:"template"`
}

// NutanixMachineTemplateResource is metadata and spec of the NutanixMachines that are created from a template.
type NutanixMachineTemplateResource struct {
	// metadata is copied to the NutanixMachines.
	// +optional
	ObjectMeta TemplateMetadata `json:"metadata,omitempty,omitzero"`

	// spec of the NutanixMachines.
	// +required
	Spec NutanixMachineSpec `json:"spec"`
}

// NutanixMachineArchitecture is a CPU architecture as Kubernetes names it.
// +kubebuilder:validation:Enum=amd64;arm64;s390x;ppc64le
type NutanixMachineArchitecture string

const (
	// NutanixMachineArchitectureAMD64 is the architecture of AHV hosts.
	NutanixMachineArchitectureAMD64 NutanixMachineArchitecture = "amd64"
)

// NutanixMachineNodeInfo describes the nodes of a template for the autoscaler.
// +kubebuilder:validation:MinProperties=1
type NutanixMachineNodeInfo struct {
	// architecture of the node's CPU.
	// +optional
	Architecture NutanixMachineArchitecture `json:"architecture,omitempty"`

	// operatingSystem of the node, for example "linux".
	// +optional
	// +kubebuilder:validation:MinLength=1
	OperatingSystem string `json:"operatingSystem,omitempty"`
}

// NutanixMachineTemplateStatus is the observed state of a NutanixMachineTemplate.
type NutanixMachineTemplateStatus struct {
	// capacity is the resources of a node of this template. The autoscaler reads it to scale from zero.
	// +optional
	Capacity corev1.ResourceList `json:"capacity,omitempty"`

	// nodeInfo describes a node of this template. The autoscaler reads it to scale from zero.
	// +optional
	NodeInfo NutanixMachineNodeInfo `json:"nodeInfo,omitempty,omitzero"`

	// conditions of the template.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NutanixMachineTemplate is a template for NutanixMachines. Its template is immutable: to change machines, create
// another template and name it in the MachineDeployment or control plane.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixmachinetemplates,shortName=nmtmpl,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Sockets",type=integer,JSONPath=`.spec.template.spec.vcpuSockets`,description="CPU sockets"
// +kubebuilder:printcolumn:name="vCPUs/Socket",type=integer,JSONPath=`.spec.template.spec.vcpusPerSocket`,description="Virtual CPUs per socket"
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.spec.template.spec.memorySize`,description="Memory"
// +kubebuilder:printcolumn:name="Disk",type=string,JSONPath=`.spec.template.spec.systemDiskSize`,description="Size of the system disk"
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.spec.template.spec['image','imageLookup']['name','uuid','baseOS']`,description="Image of the system disk"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NutanixMachineTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state of the template.
	// +required
	Spec NutanixMachineTemplateSpec `json:"spec"`

	// status is the observed state of the template.
	// +optional
	Status NutanixMachineTemplateStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the template.
func (t *NutanixMachineTemplate) GetConditions() []metav1.Condition { return t.Status.Conditions }

// SetConditions replaces the conditions of the template.
func (t *NutanixMachineTemplate) SetConditions(conditions []metav1.Condition) {
	t.Status.Conditions = conditions
}

// NutanixMachineTemplateList is a list of NutanixMachineTemplates.
// +kubebuilder:object:root=true
type NutanixMachineTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixMachineTemplate `json:"items"`
}
