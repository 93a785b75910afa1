package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// NutanixMachineFinalizer keeps a NutanixMachine until the controller has destroyed its VM.
const NutanixMachineFinalizer = "infrastructure.cluster.x-k8s.io/nutanixmachine"

// NutanixMachineInitializationStatus is the status of the first provisioning. It does not change afterwards.
// +kubebuilder:validation:MinProperties=1
type NutanixMachineInitializationStatus struct {
	// provisioned is true once the VM runs and its addresses and provider ID are known.
	// +optional
	Provisioned *bool `json:"provisioned,omitempty"`
}

// NutanixMachineStatus is the observed state of a NutanixMachine.
type NutanixMachineStatus struct {
	// ready is true while the VM is as the spec says. It is meant for scripts; controllers read initialization.provisioned
	// and the Ready condition.
	// +optional
	Ready bool `json:"ready,omitempty"`

	// initialization is read by Cluster API before it continues with the machine.
	// +optional
	Initialization NutanixMachineInitializationStatus `json:"initialization,omitempty,omitzero"`

	// addresses of the VM, in the order of its network cards.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Addresses []clusterv1.MachineAddress `json:"addresses,omitempty"`

	// vmUUID is the UUID of the VM. After a failover it is the new UUID, while spec.providerID stays.
	// +optional
	VMUUID string `json:"vmUUID,omitempty"`

	// failureDomain is the failure domain in which the machine was placed.
	// +optional
	FailureDomain string `json:"failureDomain,omitempty"`

	// nodeRef is never set.
	//
	// Deprecated: read Machine.status.nodeRef.
	// +optional
	NodeRef *corev1.ObjectReference `json:"nodeRef,omitempty"`

	// conditions of the machine.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// failureReason is the reason of a terminal failure.
	// +optional
	FailureReason *string `json:"failureReason,omitempty"`

	// failureMessage describes a terminal failure and its remedy.
	// +optional
	FailureMessage *string `json:"failureMessage,omitempty"`

	// terraform is the result of the last Terraform runs for the machine.
	// +optional
	Terraform *TerraformStatus `json:"terraform,omitempty"`
}

// NutanixMachine is one VM on Nutanix AHV.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixmachines,shortName=nma,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.metadata.labels['cluster\.x-k8s\.io/cluster-name']`,description="Cluster to which this belongs"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the VM is as the spec says"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Reason of the Ready condition"
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.addresses[?(@.type=="InternalIP")].address`,description="First IP address of the VM"
// +kubebuilder:printcolumn:name="ProviderID",type=string,JSONPath=`.spec.providerID`,description="Provider ID of the VM"
// +kubebuilder:printcolumn:name="FailureDomain",type=string,JSONPath=`.status.failureDomain`,description="Failure domain of the VM"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Plan",type=string,priority=1,JSONPath=`.status.terraform.lastPlan.cause`,description="Cause of the last Terraform plan"
// +kubebuilder:printcolumn:name="Serial",type=integer,priority=1,JSONPath=`.status.terraform.serial`,description="Serial of the Terraform state"
// +kubebuilder:printcolumn:name="API",type=string,priority=1,JSONPath=`.status.terraform.api`,description="Generation of the Prism API: v3 or v4"
type NutanixMachine struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state of the machine.
	// +required
	Spec NutanixMachineSpec `json:"spec"`

	// status is the observed state of the machine.
	// +optional
	Status NutanixMachineStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the machine.
func (m *NutanixMachine) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions replaces the conditions of the machine.
func (m *NutanixMachine) SetConditions(conditions []metav1.Condition) {
	m.Status.Conditions = conditions
}

// NutanixMachineList is a list of NutanixMachines.
// +kubebuilder:object:root=true
type NutanixMachineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixMachine `json:"items"`
}
