// Package wire contains the JSON types and errors of v3, and code with which the handlers of all APIs read requests and
// write responses.
package wire

import (
	"encoding/json"
	"time"
)

// APIVersion is the API version in every v3 response.
const APIVersion = "3.1"

// States of an entity in status.state.
const (
	StateComplete      = "COMPLETE"
	StatePending       = "PENDING"
	StateError         = "ERROR"
	StateDeletePending = "DELETE_PENDING"
)

// Power states of a VM.
const (
	PowerOn  = "ON"
	PowerOff = "OFF"
)

// TypeLearned is the type of an IP endpoint that the hypervisor has detected and that Prism has not assigned.
const TypeLearned = "LEARNED"

// Reference refers to another entity. An empty object counts as absent, because provider 1.9.5 sends
// `"project_reference":{}`.
type Reference struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
	UUID string `json:"uuid,omitempty"`
}

// Metadata is the metadata of an entity.
type Metadata struct {
	Kind             string              `json:"kind,omitempty"`
	UUID             string              `json:"uuid,omitempty"`
	SpecVersion      *int64              `json:"spec_version,omitempty"`
	SpecHash         string              `json:"spec_hash,omitempty"`
	EntityVersion    string              `json:"entity_version,omitempty"`
	CreationTime     *time.Time          `json:"creation_time,omitempty"`
	LastUpdateTime   *time.Time          `json:"last_update_time,omitempty"`
	OwnerReference   *Reference          `json:"owner_reference,omitempty"`
	ProjectReference *Reference          `json:"project_reference,omitempty"`
	Categories       map[string]string   `json:"categories"`
	Mapping          map[string][]string `json:"categories_mapping"`
	UseMapping       bool                `json:"use_categories_mapping,omitempty"`
}

// Message is an entry of message_list in an error response, or in the status of an entity in state ERROR.
type Message struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Details any    `json:"details,omitempty"`
}

// ExecutionContext contains the UUIDs of the tasks of an entity.
type ExecutionContext struct {
	// TaskUUID is a string in the response to a change, and a list of strings in the response to a GET request.
	TaskUUID any `json:"task_uuid"`
}

// Entity is the v3 response for an entity that clients cannot create or update.
type Entity struct {
	APIVersion string    `json:"api_version,omitempty"`
	Metadata   *Metadata `json:"metadata,omitempty"`
	Spec       any       `json:"spec"`
	Status     any       `json:"status"`
}

// VMIntent is the body of a request that creates or updates a VM.
type VMIntent struct {
	APIVersion string    `json:"api_version,omitempty"`
	Metadata   *Metadata `json:"metadata"`
	Spec       *VMSpec   `json:"spec"`
}

// VMSpec is the spec of a VM.
type VMSpec struct {
	Name             string       `json:"name"`
	Description      string       `json:"description,omitempty"`
	ClusterReference *Reference   `json:"cluster_reference,omitempty"`
	Resources        *VMResources `json:"resources"`
}

// VMResources are the resources of a VM.
type VMResources struct {
	NumSockets            *int64              `json:"num_sockets,omitempty"`
	NumVCPUsPerSocket     *int64              `json:"num_vcpus_per_socket,omitempty"`
	NumThreadsPerCore     *int64              `json:"num_threads_per_core,omitempty"`
	MemorySizeMiB         *int64              `json:"memory_size_mib,omitempty"`
	PowerState            string              `json:"power_state,omitempty"`
	PowerStateMechanism   *PowerMechanism     `json:"power_state_mechanism,omitempty"`
	HardwareClockTimezone string              `json:"hardware_clock_timezone,omitempty"`
	MachineType           string              `json:"machine_type,omitempty"`
	EnableCPUPassthrough  *bool               `json:"enable_cpu_passthrough,omitempty"`
	IsVCPUHardPinned      *bool               `json:"is_vcpu_hard_pinned,omitempty"`
	HardwareVirtualized   *bool               `json:"hardware_virtualization_enabled,omitempty"`
	VGAConsoleEnabled     *bool               `json:"vga_console_enabled,omitempty"`
	VnumaConfig           *VNUMAConfig        `json:"vnuma_config,omitempty"`
	VTPMConfig            *VTPMConfig         `json:"vtpm_config,omitempty"`
	BootConfig            *BootConfig         `json:"boot_config,omitempty"`
	GuestCustomization    *GuestCustomization `json:"guest_customization,omitempty"`
	GuestOSID             string              `json:"guest_os_id,omitempty"`
	GuestTools            json.RawMessage     `json:"guest_tools,omitempty"`
	ParentReference       *Reference          `json:"parent_reference,omitempty"`
	DiskList              []Disk              `json:"disk_list"`
	NICList               []NIC               `json:"nic_list"`
	GPUList               []GPU               `json:"gpu_list"`
	SerialPortList        []SerialPort        `json:"serial_port_list"`
}

// PowerMechanism configures how a VM is switched off.
type PowerMechanism struct {
	Mechanism  string           `json:"mechanism,omitempty"`
	Transition *GuestTransition `json:"guest_transition_config,omitempty"`
}

// GuestTransition configures scripts that run in the guest before a shutdown or reboot.
type GuestTransition struct {
	EnableScriptExec          bool `json:"enable_script_exec"`
	ShouldFailOnScriptFailure bool `json:"should_fail_on_script_failure"`
}

// VNUMAConfig contains the number of virtual NUMA nodes.
type VNUMAConfig struct {
	NumVnumaNodes int64 `json:"num_vnuma_nodes"`
}

// VTPMConfig configures the virtual TPM.
type VTPMConfig struct {
	Enabled bool `json:"vtpm_enabled"`
}

// BootConfig contains the boot type and the order of boot devices.
type BootConfig struct {
	BootType  string          `json:"boot_type,omitempty"`
	OrderList []string        `json:"boot_device_order_list,omitempty"`
	Device    json.RawMessage `json:"boot_device,omitempty"`
}

// GuestCustomization contains data for the first boot of the guest.
type GuestCustomization struct {
	CloudInit     *CloudInit      `json:"cloud_init,omitempty"`
	Sysprep       json.RawMessage `json:"sysprep,omitempty"`
	IsOverridable *bool           `json:"is_overridable,omitempty"`
}

// CloudInit contains cloud-init data in base64.
type CloudInit struct {
	MetaData        string            `json:"meta_data,omitempty"`
	UserData        string            `json:"user_data,omitempty"`
	CustomKeyValues map[string]string `json:"custom_key_values,omitempty"`
}

// SerialPort is a serial port of a VM.
type SerialPort struct {
	Index       int64 `json:"index"`
	IsConnected bool  `json:"is_connected"`
}

// Disk is a disk, a CD-ROM or an attached volume group of a VM.
type Disk struct {
	UUID          string            `json:"uuid,omitempty"`
	Properties    *DeviceProperties `json:"device_properties,omitempty"`
	SizeMiB       *int64            `json:"disk_size_mib,omitempty"`
	SizeBytes     *int64            `json:"disk_size_bytes,omitempty"`
	DataSource    *Reference        `json:"data_source_reference,omitempty"`
	VolumeGroup   *Reference        `json:"volume_group_reference,omitempty"`
	StorageConfig *StorageConfig    `json:"storage_config,omitempty"`
}

// DeviceProperties contains the type and the address of a disk.
type DeviceProperties struct {
	DeviceType string       `json:"device_type,omitempty"`
	Address    *DiskAddress `json:"disk_address,omitempty"`
}

// DiskAddress consists of an adapter and an index on the adapter.
type DiskAddress struct {
	AdapterType string `json:"adapter_type,omitempty"`
	DeviceIndex *int64 `json:"device_index,omitempty"`
}

// StorageConfig contains the storage container of a disk.
type StorageConfig struct {
	FlashMode string     `json:"flash_mode,omitempty"`
	Container *Reference `json:"storage_container_reference,omitempty"`
}

// NIC is a network interface of a VM.
type NIC struct {
	UUID            string       `json:"uuid,omitempty"`
	NICType         string       `json:"nic_type,omitempty"`
	Model           string       `json:"model,omitempty"`
	VLANMode        string       `json:"vlan_mode,omitempty"`
	TrunkedVLANs    []int64      `json:"trunked_vlan_list"`
	NumQueues       *int64       `json:"num_queues,omitempty"`
	MACAddress      string       `json:"mac_address,omitempty"`
	IPEndpoints     []IPEndpoint `json:"ip_endpoint_list"`
	SubnetReference *Reference   `json:"subnet_reference,omitempty"`
	IsConnected     *bool        `json:"is_connected,omitempty"`
}

// IPEndpoint is an IP address of a NIC.
type IPEndpoint struct {
	IP   string `json:"ip,omitempty"`
	Type string `json:"type,omitempty"`
}

// GPU is an entry of gpu_list. A spec contains only the vendor, mode and device ID; a status contains all fields.
type GPU struct {
	Vendor             string `json:"vendor,omitempty"`
	Mode               string `json:"mode,omitempty"`
	DeviceID           *int64 `json:"device_id,omitempty"`
	Name               string `json:"name,omitempty"`
	UUID               string `json:"uuid,omitempty"`
	Fraction           *int64 `json:"fraction,omitempty"`
	FrameBufferSizeMiB *int64 `json:"frame_buffer_size_mib,omitempty"`
	PCIAddress         string `json:"pci_address,omitempty"`
}

// VMStatus is the status of a VM.
type VMStatus struct {
	State            string            `json:"state"`
	Name             string            `json:"name,omitempty"`
	Description      string            `json:"description,omitempty"`
	ClusterReference *Reference        `json:"cluster_reference,omitempty"`
	Resources        *VMLiveResources  `json:"resources,omitempty"`
	Messages         []Message         `json:"message_list,omitempty"`
	Execution        *ExecutionContext `json:"execution_context,omitempty"`
}

// VMLiveResources contains the current resources of a VM, including fields that exist only in a status.
type VMLiveResources struct {
	*VMResources
	HypervisorType string     `json:"hypervisor_type"`
	HostReference  *Reference `json:"host_reference,omitempty"`
	BIOSUUID       string     `json:"bios_uuid,omitempty"`
	GenerationUUID string     `json:"generation_uuid,omitempty"`
	ProtectionType string     `json:"protection_type"`
}

// Accepted is the response to an accepted change, with status 202.
type Accepted struct {
	APIVersion string         `json:"api_version"`
	Metadata   map[string]any `json:"metadata"`
	// Spec is an object in responses to POST and PUT requests, and a string in responses to DELETE requests. Clients
	// require these types.
	Spec   any      `json:"spec"`
	Status VMStatus `json:"status"`
}

// OrZero returns the value that p points to, or the zero value if p is nil.
func OrZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// ValueOr returns the value that p points to, or other if p is nil.
func ValueOr[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

// IsEmpty reports whether a reference is nil or refers to no entity.
func (r *Reference) IsEmpty() bool { return r == nil || (r.UUID == "" && r.Name == "") }
