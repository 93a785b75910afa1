package renderer

// The JSON form of the inputs is hashed (digest.go), and parts of it are kept in an annotation of each NutanixMachine. A new
// field needs omitempty, so that the digests of machines without it stay the same. A field that is no part of the digest has
// the tag json:"-". Any other change of the JSON form needs a new digestVersion.

// Ref identifies an entity in Prism by its UUID. The name becomes a comment and is no part of the digest.
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
	// Index is the place on the adapter. AssignDisks reads 0 in a data disk as "the next free one".
	Index int `json:"index,omitempty"`
	// SizeMiB is the size; 0 takes the size of the image.
	SizeMiB int64 `json:"sizeMiB,omitempty"`
	// Image is what the disk is a copy of, if anything.
	Image *Ref `json:"image,omitempty"`
	// StorageContainer holds the disk; nil leaves the choice to Prism.
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
	// Name becomes a comment and is no part of the digest.
	Name string `json:"name,omitempty"`
}

// Boot types of a machine; empty leaves the choice to Prism.
const (
	BootLegacy = "LEGACY"
	BootUEFI   = "UEFI"
)

// Machine is everything that decides how the VM of one NutanixMachine looks.
type Machine struct {
	// Name is the name of the VM and its host name.
	Name string `json:"name"`
	// Description carries the mark of the owner.
	Description string `json:"description,omitempty"`
	// PrismElement runs the VM.
	PrismElement Ref `json:"prismElement"`
	// Project owns the VM; nil leaves it in the default project.
	Project *Ref `json:"project,omitempty"`
	// Subnets get one network interface each, in this order.
	Subnets []Ref `json:"subnets"`
	// Sockets is the number of virtual CPU sockets.
	Sockets int32 `json:"sockets"`
	// VCPUsPerSocket is the number of virtual CPUs of each socket.
	VCPUsPerSocket int32 `json:"vcpusPerSocket"`
	// MemoryMiB is the memory in MiB.
	MemoryMiB int64 `json:"memoryMiB"`
	// BootType is LEGACY, UEFI or empty.
	BootType string `json:"bootType,omitempty"`
	// Disks come from AssignDisks, the system disk first.
	Disks []Disk `json:"disks"`
	// GPUs are the graphics devices.
	GPUs []GPU `json:"gpus,omitempty"`
	// Categories are the categories of the VM, one value per key.
	Categories map[string]string `json:"categories,omitempty"`
	// CloudInit hands the bootstrap data in UserDataVariable to the VM.
	CloudInit bool `json:"cloudInit,omitempty"`
}

// Cluster is everything that decides the workspace of one NutanixCluster.
type Cluster struct {
	// CategoryKey is the key of the category that marks the VMs of the cluster.
	CategoryKey string `json:"categoryKey"`
	// CategoryValue is its value.
	CategoryValue string `json:"categoryValue"`
}

// Settings are the parts of a workspace that do not depend on what it holds.
type Settings struct {
	// ProviderVersion is the exact version of the nutanix provider, for example 1.9.5.
	ProviderVersion string `json:"providerVersion"`
	// Backend is where the state is kept.
	Backend Backend `json:"backend"`
}

// Backend says where Terraform keeps the state.
type Backend struct {
	// Type is the name of the backend, for example kubernetes.
	Type string `json:"type"`
	// Config holds the arguments of the backend as strings; Terraform converts them to what the backend wants. An
	// argument of a nested object is written with a dot: workspaces.name, assume_role.role_arn. Secrets do not belong
	// here: backends read them from their environment.
	Config map[string]string `json:"config,omitempty"`
}
