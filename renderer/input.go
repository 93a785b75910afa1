package renderer

// The JSON form of the inputs is hashed (digest.go), and parts of it are stored in an annotation of each NutanixMachine. A new
// field needs omitempty, so that the digests of machines without it stay the same. A field that is not part of the digest has the
// tag json:"-". Any other change of the JSON form needs a new digestVersion.

// Ref identifies an entity in Prism by its UUID. The name is written to a comment and is not part of the digest.
type Ref struct {
	UUID string `json:"uuid"`
	Name string `json:"name,omitempty"`
}

// Device types and adapters of disks.
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
	// Index is the index on the adapter. For a data disk, AssignDisks replaces 0 by the next free index.
	Index int `json:"index,omitempty"`
	// SizeMiB is the size in MiB; 0 means the size of the image.
	SizeMiB int64 `json:"sizeMiB,omitempty"`
	// Image is the image that is copied to the disk; nil means an empty disk.
	Image *Ref `json:"image,omitempty"`
	// StorageContainer is the storage container of the disk; nil means that Prism chooses one.
	StorageContainer *Ref `json:"storageContainer,omitempty"`
	// FlashMode keeps the disk on the fast tier. It needs a StorageContainer.
	FlashMode bool `json:"flashMode,omitempty"`
}

// GPU is one graphics device of a machine.
type GPU struct {
	// Vendor is NVIDIA, AMD or INTEL.
	Vendor string `json:"vendor"`
	// Mode is PASSTHROUGH_GRAPHICS, PASSTHROUGH_COMPUTE or VIRTUAL.
	Mode string `json:"mode"`
	// DeviceID is the PCI device ID of the model.
	DeviceID int64 `json:"deviceID"`
	// Name is written to a comment and is not part of the digest.
	Name string `json:"name,omitempty"`
}

// Boot types of a machine; empty means the default of Prism.
const (
	BootLegacy = "LEGACY"
	BootUEFI   = "UEFI"
)

// Machine contains all inputs of the workspace of one NutanixMachine.
type Machine struct {
	// Name is the name of the VM and its host name.
	Name string `json:"name"`
	// Description contains the mark that identifies the owner of the VM.
	Description string `json:"description,omitempty"`
	// PrismElement runs the VM.
	PrismElement Ref `json:"prismElement"`
	// Project is the project of the VM; nil means the default project.
	Project *Ref `json:"project,omitempty"`
	// Subnets are the subnets of the network interfaces, in this order.
	Subnets []Ref `json:"subnets"`
	// Sockets is the number of virtual CPU sockets.
	Sockets int32 `json:"sockets"`
	// VCPUsPerSocket is the number of virtual CPUs of each socket.
	VCPUsPerSocket int32 `json:"vcpusPerSocket"`
	// MemoryMiB is the memory in MiB.
	MemoryMiB int64 `json:"memoryMiB"`
	// BootType is LEGACY, UEFI or empty.
	BootType string `json:"bootType,omitempty"`
	// Disks are the disks that AssignDisks returned, the system disk first.
	Disks []Disk `json:"disks"`
	// GPUs are the graphics devices.
	GPUs []GPU `json:"gpus,omitempty"`
	// Categories are the categories of the VM, one value per key.
	Categories map[string]string `json:"categories,omitempty"`
	// CloudInit passes the bootstrap data in UserDataVariable to the VM.
	CloudInit bool `json:"cloudInit,omitempty"`
}

// Cluster contains all inputs of the workspace of one NutanixCluster.
type Cluster struct {
	// CategoryKey is the key of the category that marks the VMs of the cluster.
	CategoryKey string `json:"categoryKey"`
	// CategoryValue is the value of that category.
	CategoryValue string `json:"categoryValue"`
}

// Settings are the inputs that all kinds of workspaces share.
type Settings struct {
	// ProviderVersion is the exact version of the nutanix provider, for example 1.9.5.
	ProviderVersion string `json:"providerVersion"`
	// Backend describes where the state is stored.
	Backend Backend `json:"backend"`
}

// Backend describes where Terraform stores the state.
type Backend struct {
	// Type is the name of the backend, for example kubernetes.
	Type string `json:"type"`
	// Config contains the arguments of the backend as strings, which Terraform converts to their types. The name of an argument in
	// a nested object contains a dot: workspaces.name, assume_role.role_arn. Secrets are not allowed, because backends read them
	// from their environment.
	Config map[string]string `json:"config,omitempty"`
}
