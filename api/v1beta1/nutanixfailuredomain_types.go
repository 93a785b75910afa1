package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NutanixFailureDomainFinalizer keeps a NutanixFailureDomain while machines or clusters use it.
const NutanixFailureDomainFinalizer = "infrastructure.cluster.x-k8s.io/nutanixfailuredomain"

// NutanixFailureDomainSpec is the desired state of a NutanixFailureDomain.
type NutanixFailureDomainSpec struct {
	// prismElementCluster is the Prism Element of the failure domain. Immutable.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="prismElementCluster is immutable: create another NutanixFailureDomain instead"
	PrismElementCluster NutanixResourceIdentifier `json:"prismElementCluster"`

	// subnets are the subnets of the failure domain, one network card each, in order. Immutable.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="subnets is immutable: create another NutanixFailureDomain instead"
	// +kubebuilder:validation:XValidation:rule="self.all(x, self.exists_one(y, x == y))",message="each subnet must be unique"
	Subnets []NutanixResourceIdentifier `json:"subnets"`
}

// NutanixFailureDomainStatus is the observed state of a NutanixFailureDomain.
type NutanixFailureDomainStatus struct {
	// conditions of the failure domain.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NutanixFailureDomain is a Prism Element with subnets. Machines can be spread over several failure domains. The object
// contains no address of Prism Central, because every cluster looks the failure domain up in its own Prism Central.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixfailuredomains,shortName=nfd,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1","clusterctl.cluster.x-k8s.io/move="}
// +kubebuilder:printcolumn:name="PrismElement",type=string,JSONPath=`.spec.prismElementCluster['name','uuid']`,description="Prism Element, by name or UUID"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the failure domain can be used"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Subnet",type=string,priority=1,JSONPath=`.spec.subnets[0]['name','uuid']`,description="First subnet, by name or UUID"
type NutanixFailureDomain struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state of the failure domain.
	// +required
	Spec NutanixFailureDomainSpec `json:"spec"`

	// status is the observed state of the failure domain.
	// +optional
	Status NutanixFailureDomainStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the failure domain.
func (d *NutanixFailureDomain) GetConditions() []metav1.Condition { return d.Status.Conditions }

// SetConditions replaces the conditions of the failure domain.
func (d *NutanixFailureDomain) SetConditions(conditions []metav1.Condition) {
	d.Status.Conditions = conditions
}

// NutanixFailureDomainList is a list of NutanixFailureDomains.
// +kubebuilder:object:root=true
type NutanixFailureDomainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixFailureDomain `json:"items"`
}
