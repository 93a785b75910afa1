package renderer

// Ref points at something in Prism. Only the UUID decides anything; the name becomes a comment beside it.
type Ref struct {
	UUID string
	Name string
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
	DeviceType string
	// AdapterType is SCSI, IDE, PCI or SATA.
	AdapterType string
	// Index is the place on the adapter. AssignDisks reads 0 in a data disk as "the next free one".
	Index int
	// SizeMiB is the size; 0 takes the size of the image.
	SizeMiB int64
	// Image is what the disk is a copy of, if anything.
	Image *Ref
	// StorageContainer holds the disk; nil leaves the choice to Prism.
	StorageContainer *Ref
	// FlashMode keeps the disk on the fast tier. It needs a StorageContainer.
	FlashMode bool
}

// GPU is one graphics device of a machine.
type GPU struct {
	// Vendor is NVIDIA, AMD or INTEL.
	Vendor string
	// Mode is PASSTHROUGH_GRAPHICS, PASSTHROUGH_COMPUTE or VIRTUAL.
	Mode string
	// DeviceID is the PCI device ID of the model.
	DeviceID int64
	// Name only becomes a comment.
	Name string
}

// Boot types of a machine; empty leaves the choice to Prism.
const (
	BootLegacy = "LEGACY"
	BootUEFI   = "UEFI"
)

// Machine is everything that decides how the VM of one NutanixMachine looks.
type Machine struct {
	// Name is the name of the VM and its host name.
	Name string
	// Description carries the mark of the owner.
	Description string
	// PrismElement runs the VM.
	PrismElement Ref
	// Project owns the VM; nil leaves it in the default project.
	Project *Ref
	// Subnets get one network interface each, in this order.
	Subnets []Ref
	// Sockets and VCPUsPerSocket give the virtual CPUs.
	Sockets, VCPUsPerSocket int32
	// MemoryMiB is the memory in MiB.
	MemoryMiB int64
	// BootType is LEGACY, UEFI or empty.
	BootType string
	// Disks come from AssignDisks, the system disk first.
	Disks []Disk
	GPUs  []GPU
	// Categories are the categories of the VM, one value per key.
	Categories map[string]string
	// CloudInit hands the bootstrap data in UserDataVariable to the VM.
	CloudInit bool
}

// Cluster is everything that decides the workspace of one NutanixCluster.
type Cluster struct {
	// CategoryKey and CategoryValue mark the VMs of the cluster.
	CategoryKey, CategoryValue string
}

// Settings are the parts of a workspace that do not depend on what it holds.
type Settings struct {
	// ProviderVersion is the exact version of the nutanix provider, for example 1.9.5.
	ProviderVersion string
	Backend         Backend
}

// Backend says where Terraform keeps the state.
type Backend struct {
	// Type is the name of the backend, for example kubernetes.
	Type string
	// Config holds the arguments of the backend as strings; Terraform converts them to what the backend wants. An
	// argument of a nested object is written with a dot: workspaces.name, assume_role.role_arn. Secrets do not belong
	// here: backends read them from their environment.
	Config map[string]string
}
