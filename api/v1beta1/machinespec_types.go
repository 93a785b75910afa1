package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// NutanixBootType is the firmware a VM boots with.
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

	// DefaultImageLookupFormat is the format of an image look-up where none is set.
	DefaultImageLookupFormat = "capx-{{.BaseOS}}-{{.K8sVersion}}-*"
)

// NutanixMachineSpec is the desired state of a NutanixMachine.
//
// There is no failureDomain: placement comes from the Machine, and Cluster API would overwrite the Machine with ours.
// +kubebuilder:validation:XValidation:rule="has(self.image) != has(self.imageLookup)",message="set exactly one of image and imageLookup"
type NutanixMachineSpec struct {
	// providerID identifies the VM, as nutanix://<VM UUID>. It is set by the controller; values of another form, as
	// some templates carry them, never identify a VM.
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

	// imageLookup finds the image of the system disk by a pattern; the newest match is taken once and kept.
	// +optional
	ImageLookup *NutanixImageLookup `json:"imageLookup,omitempty"`

	// cluster is the Prism Element to run on. Required unless the machine is placed in a failure domain.
	// +optional
	Cluster NutanixResourceIdentifier `json:"cluster,omitempty,omitzero"`

	// subnet lists the subnets of the VM, one network card each, in order. Required unless the machine is placed in a
	// failure domain.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(x, self.exists_one(y, x == y))",message="each subnet must be unique"
	Subnets []NutanixResourceIdentifier `json:"subnet,omitempty"`

	// additionalCategories are categories of the VM, merged with categories. They have to exist in Prism Central.
	// +optional
	// +listType=atomic
	AdditionalCategories []NutanixCategoryIdentifier `json:"additionalCategories,omitempty"`

	// categories are categories of the VM, merged with additionalCategories. They have to exist in Prism Central.
	// +optional
	// +listType=atomic
	Categories []NutanixCategoryIdentifier `json:"categories,omitempty"`

	// project is the Prism Central project that owns the VM.
	// +optional
	Project *NutanixResourceIdentifier `json:"project,omitempty"`

	// bootType is the firmware of the VM, legacy or uefi. Default: as Prism decides (legacy).
	// +optional
	BootType NutanixBootType `json:"bootType,omitempty"`

	// systemDiskSize is the size of the system disk, at least 20Gi.
	// +required
	SystemDiskSize resource.Quantity `json:"systemDiskSize"`

	// dataDisks are further disks of the VM.
	// +optional
	// +listType=atomic
	DataDisks []NutanixMachineVMDisk `json:"dataDisks,omitempty"`

	// bootstrapRef of kind Image names an image that is attached as CD-ROM in place of cloud-init user data. Kind Secret is
	// accepted and not read: user data comes from the bootstrap data of the Machine.
	// +optional
	BootstrapRef *corev1.ObjectReference `json:"bootstrapRef,omitempty"`

	// gpus are the GPUs of the VM.
	// +optional
	// +listType=atomic
	GPUs []NutanixGPU `json:"gpus,omitempty"`
}

// NutanixImageLookup finds an image by a pattern over image names.
type NutanixImageLookup struct {
	// format is a Go template with the fields .BaseOS and .K8sVersion (without "v"); what it renders to is a regular
	// expression (RE2) over image names. Default: "capx-{{.BaseOS}}-{{.K8sVersion}}-*".
	// +optional
	// +kubebuilder:default="capx-{{.BaseOS}}-{{.K8sVersion}}-*"
	Format *string `json:"format,omitempty"`

	// baseOS is the name of the operating system as it stands in image names, for example "ubuntu-22.04".
	// +required
	// +kubebuilder:validation:MinLength=1
	BaseOS string `json:"baseOS"`
}

// NutanixMachineVMDisk is a data disk of a VM.
type NutanixMachineVMDisk struct {
	// diskSize is the size of the disk, at least 1Gi.
	// +required
	DiskSize resource.Quantity `json:"diskSize"`

	// deviceProperties say how the disk is attached. Default: a Disk on the SCSI bus.
	// +optional
	DeviceProperties *NutanixMachineVMDiskDeviceProperties `json:"deviceProperties,omitempty"`

	// storageConfig says how the disk is stored.
	// +optional
	StorageConfig *NutanixMachineVMStorageConfig `json:"storageConfig,omitempty"`

	// dataSource is the image that the disk is filled from. Default: none, the disk is empty.
	// +optional
	DataSource *NutanixResourceIdentifier `json:"dataSource,omitempty"`
}

// NutanixMachineDiskDeviceType is the kind of a disk device.
// +kubebuilder:validation:Enum=Disk;CDRom
type NutanixMachineDiskDeviceType string

const (
	// NutanixMachineDiskDeviceTypeDisk is a disk.
	NutanixMachineDiskDeviceTypeDisk NutanixMachineDiskDeviceType = "Disk"

	// NutanixMachineDiskDeviceTypeCDRom is a CD-ROM.
	NutanixMachineDiskDeviceTypeCDRom NutanixMachineDiskDeviceType = "CDRom"
)

// NutanixMachineDiskAdapterType is the bus a disk is attached to.
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

// NutanixMachineVMDiskDeviceProperties say how a disk is attached.
type NutanixMachineVMDiskDeviceProperties struct {
	// deviceType is Disk or CDRom. Default: Disk.
	// +optional
	// +kubebuilder:default=Disk
	DeviceType NutanixMachineDiskDeviceType `json:"deviceType,omitempty"`

	// adapterType is the bus: SCSI, IDE, PCI or SATA (SPAPR is refused on x86).
	// +required
	AdapterType NutanixMachineDiskAdapterType `json:"adapterType"`

	// deviceIndex is the slot on the bus; 0 takes the first free one.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	DeviceIndex int32 `json:"deviceIndex,omitempty"`
}

// NutanixMachineDiskMode is the storage tier of a disk.
// +kubebuilder:validation:Enum=Standard;Flash
type NutanixMachineDiskMode string

const (
	// NutanixMachineDiskModeStandard lets Prism place the data of the disk.
	NutanixMachineDiskModeStandard NutanixMachineDiskMode = "Standard"

	// NutanixMachineDiskModeFlash keeps the data of the disk on flash.
	NutanixMachineDiskModeFlash NutanixMachineDiskMode = "Flash"
)

// NutanixMachineVMStorageConfig says how a disk is stored.
type NutanixMachineVMStorageConfig struct {
	// diskMode is Standard or Flash. Default: Standard.
	// +optional
	// +kubebuilder:default=Standard
	DiskMode NutanixMachineDiskMode `json:"diskMode,omitempty"`

	// storageContainer holds the disk. Default: as Prism decides.
	// +optional
	StorageContainer *NutanixResourceIdentifier `json:"storageContainer,omitempty"`
}
