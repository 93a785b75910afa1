package admission_test

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The types in this file describe the API of CAPX as its Go types do, with the same fields and the same Go kinds. Pointers, slices and
// maps have omitempty, because the CRDs of CAPX reject null. All other fields lack omitempty, so that a client writes "", 0, false or an
// object of such values for an unset field. No version of the client library of CAPX writes more fields than these types.

type capxIdentifier struct {
	Type string  `json:"type"`
	UUID *string `json:"uuid,omitempty"`
	Name *string `json:"name,omitempty"`
}

type capxCategory struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type capxGPU struct {
	Type     string  `json:"type"`
	DeviceID *int64  `json:"deviceID,omitempty"`
	Name     *string `json:"name,omitempty"`
}

type capxImageLookup struct {
	Format *string `json:"format,omitempty"`
	BaseOS string  `json:"baseOS"`
}

type capxDeviceProperties struct {
	DeviceType  string `json:"deviceType"`
	AdapterType string `json:"adapterType"`
	DeviceIndex int32  `json:"deviceIndex"`
}

type capxStorageConfig struct {
	DiskMode         string          `json:"diskMode"`
	StorageContainer *capxIdentifier `json:"storageContainer,omitempty"`
}

type capxDataDisk struct {
	DiskSize         resource.Quantity     `json:"diskSize"`
	DeviceProperties *capxDeviceProperties `json:"deviceProperties,omitempty"`
	StorageConfig    *capxStorageConfig    `json:"storageConfig,omitempty"`
	DataSource       *capxIdentifier       `json:"dataSource,omitempty"`
}

type capxMachineSpec struct {
	ProviderID           string                  `json:"providerID"`
	VCPUsPerSocket       int32                   `json:"vcpusPerSocket"`
	VCPUSockets          int32                   `json:"vcpuSockets"`
	MemorySize           resource.Quantity       `json:"memorySize"`
	Image                *capxIdentifier         `json:"image,omitempty"`
	ImageLookup          *capxImageLookup        `json:"imageLookup,omitempty"`
	Cluster              capxIdentifier          `json:"cluster"`
	Subnets              []capxIdentifier        `json:"subnet,omitempty"`
	AdditionalCategories []capxCategory          `json:"additionalCategories,omitempty"`
	Project              *capxIdentifier         `json:"project,omitempty"`
	BootType             string                  `json:"bootType"`
	SystemDiskSize       resource.Quantity       `json:"systemDiskSize"`
	DataDisks            []capxDataDisk          `json:"dataDisks,omitempty"`
	BootstrapRef         *corev1.ObjectReference `json:"bootstrapRef,omitempty"`
	GPUs                 []capxGPU               `json:"gpus,omitempty"`
}

type capxMachineStatus struct {
	Ready          bool                    `json:"ready"`
	Addresses      []struct{}              `json:"addresses,omitempty"`
	VMUUID         string                  `json:"vmUUID"`
	NodeRef        *corev1.ObjectReference `json:"nodeRef,omitempty"`
	Conditions     []struct{}              `json:"conditions,omitempty"`
	FailureReason  *string                 `json:"failureReason,omitempty"`
	FailureMessage *string                 `json:"failureMessage,omitempty"`
	FailureDomain  *string                 `json:"failureDomain,omitempty"`
}

type capxMachine struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              capxMachineSpec   `json:"spec"`
	Status            capxMachineStatus `json:"status"`
}

type capxTemplateMetadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type capxMachineTemplateResource struct {
	Metadata capxTemplateMetadata `json:"metadata"`
	Spec     capxMachineSpec      `json:"spec"`
}

type capxMachineTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Template capxMachineTemplateResource `json:"template"`
	} `json:"spec"`
	Status struct {
		Capacity map[string]resource.Quantity `json:"capacity,omitempty"`
	} `json:"status"`
}

type capxEndpoint struct {
	Host string `json:"host"`
	Port int32  `json:"port"`
}

type capxCredentialReference struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type capxTrustBundle struct {
	Kind      string `json:"kind"`
	Data      string `json:"data"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type capxPrismCentral struct {
	Address               string                   `json:"address"`
	Port                  int32                    `json:"port"`
	Insecure              bool                     `json:"insecure"`
	AdditionalTrustBundle *capxTrustBundle         `json:"additionalTrustBundle,omitempty"`
	CredentialRef         *capxCredentialReference `json:"credentialRef,omitempty"`
}

type capxFailureDomainConfig struct {
	Name         string           `json:"name"`
	Cluster      capxIdentifier   `json:"cluster"`
	Subnets      []capxIdentifier `json:"subnets,omitempty"`
	ControlPlane bool             `json:"controlPlane"`
}

type capxClusterSpec struct {
	ControlPlaneEndpoint       capxEndpoint                  `json:"controlPlaneEndpoint"`
	PrismCentral               *capxPrismCentral             `json:"prismCentral,omitempty"`
	FailureDomains             []capxFailureDomainConfig     `json:"failureDomains,omitempty"`
	ControlPlaneFailureDomains []corev1.LocalObjectReference `json:"controlPlaneFailureDomains,omitempty"`
}

type capxCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              capxClusterSpec `json:"spec"`
	Status            struct {
		Ready          bool                `json:"ready"`
		FailureDomains map[string]struct{} `json:"failureDomains,omitempty"`
		Conditions     []struct{}          `json:"conditions,omitempty"`
		FailureReason  *string             `json:"failureReason,omitempty"`
		FailureMessage *string             `json:"failureMessage,omitempty"`
	} `json:"status"`
}

type capxClusterTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Template struct {
			Spec capxClusterSpec `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

type capxFailureDomain struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		PrismElementCluster capxIdentifier   `json:"prismElementCluster"`
		Subnets             []capxIdentifier `json:"subnets,omitempty"`
	} `json:"spec"`
	Status struct {
		Conditions []struct{} `json:"conditions,omitempty"`
	} `json:"status"`
}
