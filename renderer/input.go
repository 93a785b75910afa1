package renderer

// The types in this file are the inputs of workspaces. The digest of a workspace is the hash of the JSON form of its inputs (digest.go).
// An annotation of each NutanixMachine contains a part of this JSON form, too. Therefore the JSON form must be changed only as follows. A
// new field must have omitempty, so that the digests of machines that do not set the field stay the same. A field that must not influence
// the digest must have the tag json:"-". Any other change requires a new digestVersion.

// Ref identifies an entity in Prism by its UUID. The name is written only to a comment and does not influence the digest.
type Ref struct {
	UUID string `json:"uuid"`
	Name string `json:"name,omitempty"`
}

// Device types of disks, and adapters for disks.
const (
	DeviceDisk  = "DISK"
	DeviceCDROM = "CDROM"

	AdapterSCSI = "SCSI"
	AdapterIDE  = "IDE"
	AdapterPCI  = "PCI"
	AdapterSATA = "SATA"
)

// Disk is a disk or a CD-ROM of a machine.
type Disk struct {
	// DeviceType is DISK or CDROM.
	DeviceType string `json:"deviceType"`
	// AdapterType is SCSI, IDE, PCI or SATA.
	AdapterType string `json:"adapterType"`
	// Index is the index on the adapter. If it is 0, AssignDisks assigns the next free index to a data disk.
	Index int `json:"index,omitempty"`
	// SizeMiB is the size in MiB. If it is 0, the disk has the size of the image.
	SizeMiB int64 `json:"sizeMiB,omitempty"`
	// Image is the image that is copied to the disk. If it is nil, the disk is empty.
	Image *Ref `json:"image,omitempty"`
	// StorageContainer is the storage container of the disk. If it is nil, Prism chooses one.
	StorageContainer *Ref `json:"storageContainer,omitempty"`
	// FlashMode keeps the data of the disk on the SSD tier. It requires a StorageContainer.
	FlashMode bool `json:"flashMode,omitempty"`
}

// GPU is a GPU of a machine.
type GPU struct {
	// Vendor is NVIDIA, AMD or INTEL.
	Vendor string `json:"vendor"`
	// Mode is PASSTHROUGH_GRAPHICS, PASSTHROUGH_COMPUTE or VIRTUAL.
	Mode string `json:"mode"`
	// DeviceID is the PCI device ID of the GPU model.
	DeviceID int64 `json:"deviceID"`
	// Name is written only to a comment and does not influence the digest.
	Name string `json:"name,omitempty"`
}

// Boot types of a machine. If the boot type is empty, Prism uses its default. Only the v4 API supports BootSecure, which is UEFI with
// secure boot.
const (
	BootLegacy = "LEGACY"
	BootUEFI   = "UEFI"
	BootSecure = "SECURE_BOOT"
)

// Machine contains all inputs for the workspace of one NutanixMachine.
type Machine struct {
	// Name is the name of the VM and the host name of its guest.
	Name string `json:"name"`
	// Description is the description of the VM. It identifies the NutanixMachine that owns the VM.
	Description string `json:"description,omitempty"`
	// PrismElement is the Prism Element on which the VM runs.
	PrismElement Ref `json:"prismElement"`
	// Project is the project of the VM. If it is nil, the VM is in the default project.
	Project *Ref `json:"project,omitempty"`
	// Subnets contains the subnet of each network interface, in order.
	Subnets []Ref `json:"subnets"`
	// Sockets is the number of virtual CPU sockets.
	Sockets int32 `json:"sockets"`
	// VCPUsPerSocket is the number of virtual CPUs per socket.
	VCPUsPerSocket int32 `json:"vcpusPerSocket"`
	// MemoryMiB is the size of the memory in MiB.
	MemoryMiB int64 `json:"memoryMiB"`
	// BootType is LEGACY, UEFI, SECURE_BOOT or empty.
	BootType string `json:"bootType,omitempty"`
	// Disks are the disks of the VM as returned by AssignDisks. The first one is the system disk.
	Disks []Disk `json:"disks"`
	// GPUs are the GPUs of the VM.
	GPUs []GPU `json:"gpus,omitempty"`
	// Categories maps the keys of the VM's categories to their values. A key can have only one value. It is empty with the v4 API.
	Categories map[string]string `json:"categories,omitempty"`
	// CategoryRefs are the VM's categories with the v4 API, which refers to each pair of key and value by its UUID. A key can have several
	// values. It is empty with the v3 API.
	CategoryRefs []Ref `json:"categoryRefs,omitempty"`
	// CloudInit is true if the VM gets the bootstrap data in UserDataVariable as its user data.
	CloudInit bool `json:"cloudInit,omitempty"`
}

// Cluster contains all inputs for the workspace of one NutanixCluster.
type Cluster struct {
	// CategoryKey is the key of the category that identifies the VMs of the cluster.
	CategoryKey string `json:"categoryKey"`
	// CategoryValue is the value of that category.
	CategoryValue string `json:"categoryValue"`
	// ControlPlane describes the category of the control plane machines. If it is nil, there is no such category. Only the v4 API supports it.
	ControlPlane *ControlPlane `json:"controlPlane,omitempty"`
}

// ControlPlane describes the category that only the control plane machines of a cluster have.
type ControlPlane struct {
	// CategoryKey and CategoryValue are the key and the value of the category. No other cluster must use the value.
	CategoryKey   string `json:"categoryKey"`
	CategoryValue string `json:"categoryValue"`
	// AntiAffinity means that a policy keeps the VMs with the category on different hosts. The name of the policy is CategoryValue.
	AntiAffinity bool `json:"antiAffinity,omitempty"`
}

// Settings contains the inputs that are common to all kinds of workspaces.
type Settings struct {
	// API is the Prism API that the workspace uses. The default is APIV3.
	API API `json:"api,omitempty"`
	// ProviderVersion is the exact version of the nutanix provider, for example 1.9.5.
	ProviderVersion string `json:"providerVersion"`
	// Backend describes where the Terraform state is stored.
	Backend Backend `json:"backend"`
}

// Backend describes a Terraform backend, which stores the state.
type Backend struct {
	// Type is the name of the backend, for example kubernetes.
	Type string `json:"type"`
	// Config contains the arguments of the backend. All values are strings, which Terraform converts to the types of the arguments. The key
	// for an argument in a nested object contains a dot, for example workspaces.name or assume_role.role_arn. Secrets are not allowed here,
	// because backends read them from environment variables.
	Config map[string]string `json:"config,omitempty"`
}
