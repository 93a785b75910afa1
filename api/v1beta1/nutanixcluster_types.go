package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// NutanixClusterFinalizer keeps a NutanixCluster until the controller has destroyed its resources in Prism Central.
const NutanixClusterFinalizer = "infrastructure.cluster.x-k8s.io/nutanixcluster"

// NutanixClusterSpec is the desired state of a NutanixCluster.
// +kubebuilder:validation:XValidation:rule="!(has(self.failureDomains) && size(self.failureDomains) > 0 && has(self.controlPlaneFailureDomains) && size(self.controlPlaneFailureDomains) > 0)",message="set either failureDomains or controlPlaneFailureDomains, not both"
type NutanixClusterSpec struct {
	// controlPlaneEndpoint is the address of the API server of the workload cluster, for example a virtual IP that
	// kube-vip serves. It is needed before the cluster can be provisioned, and immutable once host and port are set.
	// +optional
	ControlPlaneEndpoint APIEndpoint `json:"controlPlaneEndpoint,omitempty,omitzero"`

	// prismCentral is the address of Prism Central and the credentials for it.
	// +optional
	PrismCentral *NutanixPrismEndpoint `json:"prismCentral,omitempty"`

	// failureDomains are failure domains inside the cluster object. This is the older form: for a new cluster prefer
	// NutanixFailureDomain objects and controlPlaneFailureDomains.
	// +optional
	// +listType=map
	// +listMapKey=name
	FailureDomains []NutanixFailureDomainConfig `json:"failureDomains,omitempty"`

	// controlPlaneFailureDomains names the NutanixFailureDomain objects, in the namespace of the cluster, over which
	// the control plane machines are spread.
	// +optional
	// +listType=map
	// +listMapKey=name
	ControlPlaneFailureDomains []corev1.LocalObjectReference `json:"controlPlaneFailureDomains,omitempty"`

	// controlPlaneAntiAffinity says whether Prism Central keeps the virtual machines of the control plane on different hosts.
	// Preferred creates a VM anti-affinity policy, which Prism Central follows as far as there are enough hosts, and gives the
	// control plane machines a category for it. None, the default, removes both. Existing machines get and lose the category
	// without a restart. Preferred needs the v4 API of Prism Central.
	// +optional
	ControlPlaneAntiAffinity AntiAffinity `json:"controlPlaneAntiAffinity,omitempty"`

	// terraform configures Terraform for this cluster and its machines.
	// +optional
	Terraform *TerraformSpec `json:"terraform,omitempty"`
}

// AntiAffinity says whether virtual machines are kept on different hosts.
// +kubebuilder:validation:Enum=None;Preferred
type AntiAffinity string

const (
	// AntiAffinityNone lets Prism Central place the virtual machines on any host.
	AntiAffinityNone AntiAffinity = "None"

	// AntiAffinityPreferred keeps the virtual machines on different hosts as far as there are enough hosts.
	AntiAffinityPreferred AntiAffinity = "Preferred"
)

// NutanixFailureDomainConfig is a failure domain inside a NutanixCluster.
type NutanixFailureDomainConfig struct {
	// name of the failure domain, unique in the cluster.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// cluster is the Prism Element of the failure domain.
	// +required
	Cluster NutanixResourceIdentifier `json:"cluster"`

	// subnets are the subnets of the failure domain, one network card each, in order.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Subnets []NutanixResourceIdentifier `json:"subnets"`

	// controlPlane is true if control plane machines may run in the failure domain. Default: true.
	// +optional
	// +kubebuilder:default=true
	ControlPlane bool `json:"controlPlane"`
}

// NutanixClusterInitializationStatus is the status of the first provisioning. It does not change afterwards.
// +kubebuilder:validation:MinProperties=1
type NutanixClusterInitializationStatus struct {
	// provisioned is true once the infrastructure of the cluster is complete.
	// +optional
	Provisioned *bool `json:"provisioned,omitempty"`
}

// NutanixClusterStatus is the observed state of a NutanixCluster.
type NutanixClusterStatus struct {
	// ready is true while the infrastructure of the cluster is complete. It is meant for scripts; controllers read
	// initialization.provisioned and the Ready condition.
	// +optional
	Ready bool `json:"ready,omitempty"`

	// initialization is read by Cluster API before it continues with the cluster.
	// +optional
	Initialization NutanixClusterInitializationStatus `json:"initialization,omitempty,omitzero"`

	// failureDomains are the failure domains over which Cluster API may spread machines.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	FailureDomains []clusterv1.FailureDomain `json:"failureDomains,omitempty"`

	// conditions of the cluster.
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

	// terraform is the result of the last Terraform runs for the cluster.
	// +optional
	Terraform *TerraformStatus `json:"terraform,omitempty"`
}

// NutanixCluster is the shared infrastructure of the machines of a cluster.
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nutanixclusters,shortName=ncl,scope=Namespaced,categories=cluster-api
// +kubebuilder:metadata:labels={"cluster.x-k8s.io/provider=infrastructure-nutanix","cluster.x-k8s.io/v1beta2=v1beta1"}
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.metadata.labels['cluster\.x-k8s\.io/cluster-name']`,description="Cluster to which this belongs"
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.spec.controlPlaneEndpoint.host`,description="Host of the control plane endpoint"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the infrastructure is complete"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Prism",type=string,priority=1,JSONPath=`.spec.prismCentral.address`,description="Address of Prism Central"
// +kubebuilder:printcolumn:name="API",type=string,priority=1,JSONPath=`.status.terraform.api`,description="Generation of the Prism API: v3 or v4"
type NutanixCluster struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state of the cluster.
	// +optional
	Spec NutanixClusterSpec `json:"spec,omitempty,omitzero"`

	// status is the observed state of the cluster.
	// +optional
	Status NutanixClusterStatus `json:"status,omitempty,omitzero"`
}

// GetConditions returns the conditions of the cluster.
func (c *NutanixCluster) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions replaces the conditions of the cluster.
func (c *NutanixCluster) SetConditions(conditions []metav1.Condition) {
	c.Status.Conditions = conditions
}

// NutanixClusterList is a list of NutanixClusters.
// +kubebuilder:object:root=true
type NutanixClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NutanixCluster `json:"items"`
}
