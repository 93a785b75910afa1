package wire

import (
	"encoding/json"
	"time"
)

// APIVersion is the version every v3 answer names.
const APIVersion = "3.1"

// Intent states of an entity, as `status.state` shows them.
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

// TypeLearned is the type of an IP endpoint that the hypervisor saw and Prism did not assign.
const TypeLearned = "LEARNED"

// Reference is the v3 way to name another entity. An empty object counts as absent: provider 1.9.5 sends
// `"project_reference":{}`.
type Reference struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
	UUID string `json:"uuid,omitempty"`
}

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

// Message is one entry of message_list in error answers and in the status of an entity in state ERROR.
type Message struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Details any    `json:"details,omitempty"`
}

type ExecutionContext struct {
	// TaskUUID is a string in the answer to a change and a list in a GET.
	TaskUUID any `json:"task_uuid"`
}

// Entity is any v3 entity of which this package only makes answers.
type Entity struct {
	APIVersion string    `json:"api_version,omitempty"`
	Metadata   *Metadata `json:"metadata,omitempty"`
	Spec       any       `json:"spec"`
	Status     any       `json:"status"`
}

type VMIntent struct {
	APIVersion string    `json:"api_version,omitempty"`
	Metadata   *Metadata `json:"metadata"`
	Spec       *VMSpec   `json:"spec"`
}

type VMSpec struct {
	Name             string       `json:"name"`
	Description      string       `json:"description,omitempty"`
	ClusterReference *Reference   `json:"cluster_reference,omitempty"`
	Resources        *VMResources `json:"resources"`
}

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

type PowerMechanism struct {
	Mechanism  string           `json:"mechanism,omitempty"`
	Transition *GuestTransition `json:"guest_transition_config,omitempty"`
}

type GuestTransition struct {
	EnableScriptExec          bool `json:"enable_script_exec"`
	ShouldFailOnScriptFailure bool `json:"should_fail_on_script_failure"`
}

type VNUMAConfig struct {
	NumVnumaNodes int64 `json:"num_vnuma_nodes"`
}

type VTPMConfig struct {
	Enabled bool `json:"vtpm_enabled"`
}

type BootConfig struct {
	BootType  string          `json:"boot_type,omitempty"`
	OrderList []string        `json:"boot_device_order_list,omitempty"`
	Device    json.RawMessage `json:"boot_device,omitempty"`
}

type GuestCustomization struct {
	CloudInit     *cloudInit      `json:"cloud_init,omitempty"`
	Sysprep       json.RawMessage `json:"sysprep,omitempty"`
	IsOverridable *bool           `json:"is_overridable,omitempty"`
}

type cloudInit struct {
	MetaData        string            `json:"meta_data,omitempty"`
	UserData        string            `json:"user_data,omitempty"`
	CustomKeyValues map[string]string `json:"custom_key_values,omitempty"`
}

type SerialPort struct {
	Index       int64 `json:"index"`
	IsConnected bool  `json:"is_connected"`
}

type Disk struct {
	UUID          string            `json:"uuid,omitempty"`
	Properties    *DeviceProperties `json:"device_properties,omitempty"`
	SizeMiB       *int64            `json:"disk_size_mib,omitempty"`
	SizeBytes     *int64            `json:"disk_size_bytes,omitempty"`
	DataSource    *Reference        `json:"data_source_reference,omitempty"`
	VolumeGroup   *Reference        `json:"volume_group_reference,omitempty"`
	StorageConfig *StorageConfig    `json:"storage_config,omitempty"`
}

type DeviceProperties struct {
	DeviceType string       `json:"device_type,omitempty"`
	Address    *DiskAddress `json:"disk_address,omitempty"`
}

type DiskAddress struct {
	AdapterType string `json:"adapter_type,omitempty"`
	DeviceIndex *int64 `json:"device_index,omitempty"`
}

type StorageConfig struct {
	FlashMode string     `json:"flash_mode,omitempty"`
	Container *Reference `json:"storage_container_reference,omitempty"`
}

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

type IPEndpoint struct {
	IP   string `json:"ip,omitempty"`
	Type string `json:"type,omitempty"`
}

// GPU is an entry of gpu_list: vendor, mode and device ID in a spec, all fields in a status.
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

// VMStatus is what `status` of a VM holds.
type VMStatus struct {
	State            string            `json:"state"`
	Name             string            `json:"name,omitempty"`
	Description      string            `json:"description,omitempty"`
	ClusterReference *Reference        `json:"cluster_reference,omitempty"`
	Resources        *VMLiveResources  `json:"resources,omitempty"`
	Messages         []Message         `json:"message_list,omitempty"`
	Execution        *ExecutionContext `json:"execution_context,omitempty"`
}

// VMLiveResources is spec.resources as the hypervisor has them, and what only a status shows.
type VMLiveResources struct {
	*VMResources
	HypervisorType string     `json:"hypervisor_type"`
	HostReference  *Reference `json:"host_reference,omitempty"`
	BIOSUUID       string     `json:"bios_uuid,omitempty"`
	GenerationUUID string     `json:"generation_uuid,omitempty"`
	ProtectionType string     `json:"protection_type"`
}

// Accepted is the answer to a change: 202, state and task.
type Accepted struct {
	APIVersion string         `json:"api_version"`
	Metadata   map[string]any `json:"metadata"`
	// Spec is an object after POST and PUT, and a string after DELETE: clients decode it so.
	Spec   any      `json:"spec"`
	Status VMStatus `json:"status"`
}

// OrZero gives what p points to, or the zero value.
func OrZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// ValueOr returns what p points to, or other when p is nil.
func ValueOr[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

// IsEmpty says whether a reference names nothing.
func (r *Reference) IsEmpty() bool { return r == nil || (r.UUID == "" && r.Name == "") }
