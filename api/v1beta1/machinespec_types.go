package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// NutanixBootType is the firmware of a VM.
// +kubebuilder:validation:Enum=legacy;uefi;""
type NutanixBootType string

const (
	// NutanixBootTypeLegacy boots with BIOS.
	NutanixBootTypeLegacy NutanixBootType = "legacy"

	// NutanixBootTypeUEFI boots with UEFI.
	NutanixBootTypeUEFI NutanixBootType = "uefi"
)

const (
	// NutanixMachineBootstrapRefKindSecret is a bootstrapRef to a Secret; it is accepted and not read.
	NutanixMachineBootstrapRefKindSecret = "Secret"

	// NutanixMachineBootstrapRefKindImage is a bootstrapRef to an image in Prism Central that is attached as CD-ROM.
	NutanixMachineBootstrapRefKindImage = "Image"

	// DefaultImageLookupFormat is the format of an image look-up without a format.
	DefaultImageLookupFormat = "capx-{{.BaseOS}}-{{.K8sVersion}}-*"
)

// NutanixMachineSpec is the desired state of a NutanixMachine.
//
// There is no failureDomain, because Cluster API would overwrite that of the Machine with it. Placement comes from the Machine.
// +kubebuilder:validation:XValidation:rule="has(self.image) != has(self.imageLookup)",message="set exactly one of image and imageLookup"
type NutanixMachineSpec struct {
	// providerID identifies the VM, as nutanix://<VM UUID>. The controller sets it. Values of another form, as
	// in some templates, identify no VM and are replaced.
	// +optional
	ProviderID string `json:"providerID,omitempty"`

	// vcpusPerSocket is the number of virtual CPUs per socket.
	// +required
	// +kubebuilder:validation:Minimum=1
	VCPUsPerSocket int32 `json:"vcpusPerSocket"`

	// vcpuSockets is the number of CPU sockets.
	// +required
	// +kubebuilder:validation:Minimum=1
	VCPUSockets int32 `json:"vcpuSockets"`

	// memorySize is the memory of the VM, at least 2Gi.
	// +required
	MemorySize resource.Quantity `json:"memorySize"`

	// image is the image of the system disk. Exactly one of image and imageLookup is set.
	// +optional
	Image *NutanixResourceIdentifier `json:"image,omitempty"`

	// imageLookup finds the image of the system disk by a pattern. The newest match is used, and kept once the VM exists.
	// +optional
	ImageLookup *NutanixImageLookup `json:"imageLookup,omitempty"`

	// cluster is the Prism Element of the VM. Required unless the machine is placed in a failure domain.
	// +optional
	Cluster NutanixResourceIdentifier `json:"cluster,omitempty,omitzero"`

	// subnet lists the subnets of the VM, one network card each, in order. Required unless the machine is placed in a
	// failure domain.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(x, self.exists_one(y, x == y))",message="each subnet must be unique"
	Subnets []NutanixResourceIdentifier `json:"subnet,omitempty"`

	// additionalCategories are categories of the VM, merged with categories. They must exist in Prism Central.
	// +optional
	// +listType=atomic
	AdditionalCategories []NutanixCategoryIdentifier `json:"additionalCategories,omitempty"`

	// categories are categories of the VM, merged with additionalCategories. They must exist in Prism Central.
	// +optional
	// +listType=atomic
	Categories []NutanixCategoryIdentifier `json:"categories,omitempty"`

	// project is the Prism Central project that owns the VM.
	// +optional
	Project *NutanixResourceIdentifier `json:"project,omitempty"`

	// bootType is the firmware of the VM, legacy or uefi. Default: the default of Prism Central (legacy).
	// +optional
	BootType NutanixBootType `json:"bootType,omitempty"`

	// systemDiskSize is the size of the system disk, at least 20Gi.
	// +required
	SystemDiskSize resource.Quantity `json:"systemDiskSize"`

	// dataDisks are additional disks of the VM.
	// +optional
	// +listType=atomic
	DataDisks []NutanixMachineVMDisk `json:"dataDisks,omitempty"`

	// bootstrapRef of kind Image names an image that is attached as CD-ROM instead of cloud-init user data. Kind Secret is
	// accepted and not read, because user data comes from the bootstrap data of the Machine.
	// +optional
	BootstrapRef *corev1.ObjectReference `json:"bootstrapRef,omitempty"`

	// gpus are the GPUs of the VM.
	// +optional
	// +listType=atomic
	GPUs []NutanixGPU `json:"gpus,omitempty"`
}

// NutanixImageLookup finds an image by a pattern over image names.
type NutanixImageLookup struct {
	// format is a Go template with the fields .BaseOS and .K8sVersion (without "v"). It renders to a regular expression (RE2)
	// over image names, in which both values match literally. Default: "capx-{{.BaseOS}}-{{.K8sVersion}}-*".
	// +optional
	// +kubebuilder:default="capx-{{.BaseOS}}-{{.K8sVersion}}-*"
	Format *string `json:"format,omitempty"`

	// baseOS is the name of the operating system as in the names of the images, for example "ubuntu-22.04".
	// +required
	// +kubebuilder:validation:MinLength=1
	BaseOS string `json:"baseOS"`
}

// NutanixMachineVMDisk is a data disk of a VM.
type NutanixMachineVMDisk struct {
	// diskSize is the size of the disk, at least 1Gi.
	// +required
	DiskSize resource.Quantity `json:"diskSize"`

	// deviceProperties are the bus and the device of the disk. Default: a Disk on the SCSI bus.
	// +optional
	DeviceProperties *NutanixMachineVMDiskDeviceProperties `json:"deviceProperties,omitempty"`

	// storageConfig is the storage of the disk.
	// +optional
	StorageConfig *NutanixMachineVMStorageConfig `json:"storageConfig,omitempty"`

	// dataSource is the image that the disk is copied from. Default: none, the disk is empty.
	// +optional
	DataSource *NutanixResourceIdentifier `json:"dataSource,omitempty"`
}

// NutanixMachineDiskDeviceType is the type of a disk device.
// +kubebuilder:validation:Enum=Disk;CDRom
type NutanixMachineDiskDeviceType string

const (
	// NutanixMachineDiskDeviceTypeDisk is a disk.
	NutanixMachineDiskDeviceTypeDisk NutanixMachineDiskDeviceType = "Disk"

	// NutanixMachineDiskDeviceTypeCDRom is a CD-ROM.
	NutanixMachineDiskDeviceTypeCDRom NutanixMachineDiskDeviceType = "CDRom"
)

// NutanixMachineDiskAdapterType is the bus of a disk.
// +kubebuilder:validation:Enum=SCSI;IDE;PCI;SATA;SPAPR
type NutanixMachineDiskAdapterType string

const (
	// NutanixMachineDiskAdapterTypeSCSI is the SCSI bus.
	NutanixMachineDiskAdapterTypeSCSI NutanixMachineDiskAdapterType = "SCSI"

	// NutanixMachineDiskAdapterTypeIDE is the IDE bus.
	NutanixMachineDiskAdapterTypeIDE NutanixMachineDiskAdapterType = "IDE"

	// NutanixMachineDiskAdapterTypePCI is the PCI bus (virtio-blk).
	NutanixMachineDiskAdapterTypePCI NutanixMachineDiskAdapterType = "PCI"

	// NutanixMachineDiskAdapterTypeSATA is the SATA bus.
	NutanixMachineDiskAdapterTypeSATA NutanixMachineDiskAdapterType = "SATA"

	// NutanixMachineDiskAdapterTypeSPAPR is the bus of IBM POWER machines; refused, because x86 hosts have none.
	NutanixMachineDiskAdapterTypeSPAPR NutanixMachineDiskAdapterType = "SPAPR"
)

// NutanixMachineVMDiskDeviceProperties are the bus and the device of a disk.
type NutanixMachineVMDiskDeviceProperties struct {
	// deviceType is Disk or CDRom. Default: Disk.
	// +optional
	// +kubebuilder:default=Disk
	DeviceType NutanixMachineDiskDeviceType `json:"deviceType,omitempty"`

	// adapterType is the bus: SCSI, IDE, PCI or SATA (SPAPR is refused on x86).
	// +required
	AdapterType NutanixMachineDiskAdapterType `json:"adapterType"`

	// deviceIndex is the slot on the bus; 0 selects the first free one.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	DeviceIndex int32 `json:"deviceIndex,omitempty"`
}

// NutanixMachineDiskMode is the storage tier of a disk.
// +kubebuilder:validation:Enum=Standard;Flash
type NutanixMachineDiskMode string

const (
	// NutanixMachineDiskModeStandard leaves the placement of the data to Prism.
	NutanixMachineDiskModeStandard NutanixMachineDiskMode = "Standard"

	// NutanixMachineDiskModeFlash keeps the data of the disk on flash.
	NutanixMachineDiskModeFlash NutanixMachineDiskMode = "Flash"
)

// NutanixMachineVMStorageConfig is the storage of a disk.
type NutanixMachineVMStorageConfig struct {
	// diskMode is Standard or Flash. Default: Standard.
	// +optional
	// +kubebuilder:default=Standard
	DiskMode NutanixMachineDiskMode `json:"diskMode,omitempty"`

	// storageContainer is the storage container of the disk. Default: Prism selects one.
	// +optional
	StorageContainer *NutanixResourceIdentifier `json:"storageContainer,omitempty"`
}
