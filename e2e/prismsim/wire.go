package prismsim

import (
	"encoding/json"
	"time"
)

// apiVersion is the version every v3 answer names.
const apiVersion = "3.1"

// Intent states of an entity, as `status.state` shows them.
const (
	stateComplete      = "COMPLETE"
	statePending       = "PENDING"
	stateError         = "ERROR"
	stateDeletePending = "DELETE_PENDING"
)

// Power states of a VM.
const (
	powerOn  = "ON"
	powerOff = "OFF"
)

// typeLearned is the type of an IP endpoint that the hypervisor saw and Prism did not assign.
const typeLearned = "LEARNED"

// reference is the v3 way to name another entity. An empty object counts as absent: provider 1.9.5 sends
// `"project_reference":{}`.
type reference struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
	UUID string `json:"uuid,omitempty"`
}

type metadata struct {
	Kind             string              `json:"kind,omitempty"`
	UUID             string              `json:"uuid,omitempty"`
	SpecVersion      *int64              `json:"spec_version,omitempty"`
	SpecHash         string              `json:"spec_hash,omitempty"`
	EntityVersion    string              `json:"entity_version,omitempty"`
	CreationTime     *time.Time          `json:"creation_time,omitempty"`
	LastUpdateTime   *time.Time          `json:"last_update_time,omitempty"`
	OwnerReference   *reference          `json:"owner_reference,omitempty"`
	ProjectReference *reference          `json:"project_reference,omitempty"`
	Categories       map[string]string   `json:"categories"`
	Mapping          map[string][]string `json:"categories_mapping"`
	UseMapping       bool                `json:"use_categories_mapping,omitempty"`
}

// message is one entry of message_list in error answers and in the status of an entity in state ERROR.
type message struct {
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Details any    `json:"details,omitempty"`
}

type executionContext struct {
	// TaskUUID is a string in the answer to a change and a list in a GET.
	TaskUUID any `json:"task_uuid"`
}

// entity is any v3 entity of which this package only makes answers.
type entity struct {
	APIVersion string    `json:"api_version,omitempty"`
	Metadata   *metadata `json:"metadata,omitempty"`
	Spec       any       `json:"spec"`
	Status     any       `json:"status"`
}

type vmIntent struct {
	APIVersion string    `json:"api_version,omitempty"`
	Metadata   *metadata `json:"metadata"`
	Spec       *vmSpec   `json:"spec"`
}

type vmSpec struct {
	Name             string       `json:"name"`
	Description      string       `json:"description,omitempty"`
	ClusterReference *reference   `json:"cluster_reference,omitempty"`
	Resources        *vmResources `json:"resources"`
}

type vmResources struct {
	NumSockets            *int64              `json:"num_sockets,omitempty"`
	NumVCPUsPerSocket     *int64              `json:"num_vcpus_per_socket,omitempty"`
	NumThreadsPerCore     *int64              `json:"num_threads_per_core,omitempty"`
	MemorySizeMiB         *int64              `json:"memory_size_mib,omitempty"`
	PowerState            string              `json:"power_state,omitempty"`
	PowerStateMechanism   *powerMechanism     `json:"power_state_mechanism,omitempty"`
	HardwareClockTimezone string              `json:"hardware_clock_timezone,omitempty"`
	MachineType           string              `json:"machine_type,omitempty"`
	EnableCPUPassthrough  *bool               `json:"enable_cpu_passthrough,omitempty"`
	IsVCPUHardPinned      *bool               `json:"is_vcpu_hard_pinned,omitempty"`
	HardwareVirtualized   *bool               `json:"hardware_virtualization_enabled,omitempty"`
	VGAConsoleEnabled     *bool               `json:"vga_console_enabled,omitempty"`
	VnumaConfig           *vnumaConfig        `json:"vnuma_config,omitempty"`
	VTPMConfig            *vtpmConfig         `json:"vtpm_config,omitempty"`
	BootConfig            *bootConfig         `json:"boot_config,omitempty"`
	GuestCustomization    *guestCustomization `json:"guest_customization,omitempty"`
	GuestOSID             string              `json:"guest_os_id,omitempty"`
	GuestTools            json.RawMessage     `json:"guest_tools,omitempty"`
	ParentReference       *reference          `json:"parent_reference,omitempty"`
	DiskList              []disk              `json:"disk_list"`
	NICList               []nic               `json:"nic_list"`
	GPUList               []gpu               `json:"gpu_list"`
	SerialPortList        []serialPort        `json:"serial_port_list"`
}

type powerMechanism struct {
	Mechanism  string           `json:"mechanism,omitempty"`
	Transition *guestTransition `json:"guest_transition_config,omitempty"`
}

type guestTransition struct {
	EnableScriptExec          bool `json:"enable_script_exec"`
	ShouldFailOnScriptFailure bool `json:"should_fail_on_script_failure"`
}

type vnumaConfig struct {
	NumVnumaNodes int64 `json:"num_vnuma_nodes"`
}

type vtpmConfig struct {
	Enabled bool `json:"vtpm_enabled"`
}

type bootConfig struct {
	BootType  string          `json:"boot_type,omitempty"`
	OrderList []string        `json:"boot_device_order_list,omitempty"`
	Device    json.RawMessage `json:"boot_device,omitempty"`
}

type guestCustomization struct {
	CloudInit     *cloudInit      `json:"cloud_init,omitempty"`
	Sysprep       json.RawMessage `json:"sysprep,omitempty"`
	IsOverridable *bool           `json:"is_overridable,omitempty"`
}

type cloudInit struct {
	MetaData        string            `json:"meta_data,omitempty"`
	UserData        string            `json:"user_data,omitempty"`
	CustomKeyValues map[string]string `json:"custom_key_values,omitempty"`
}

type serialPort struct {
	Index       int64 `json:"index"`
	IsConnected bool  `json:"is_connected"`
}

type disk struct {
	UUID          string            `json:"uuid,omitempty"`
	Properties    *deviceProperties `json:"device_properties,omitempty"`
	SizeMiB       *int64            `json:"disk_size_mib,omitempty"`
	SizeBytes     *int64            `json:"disk_size_bytes,omitempty"`
	DataSource    *reference        `json:"data_source_reference,omitempty"`
	VolumeGroup   *reference        `json:"volume_group_reference,omitempty"`
	StorageConfig *storageConfig    `json:"storage_config,omitempty"`
}

type deviceProperties struct {
	DeviceType string       `json:"device_type,omitempty"`
	Address    *diskAddress `json:"disk_address,omitempty"`
}

type diskAddress struct {
	AdapterType string `json:"adapter_type,omitempty"`
	DeviceIndex *int64 `json:"device_index,omitempty"`
}

type storageConfig struct {
	FlashMode string     `json:"flash_mode,omitempty"`
	Container *reference `json:"storage_container_reference,omitempty"`
}

type nic struct {
	UUID            string       `json:"uuid,omitempty"`
	NICType         string       `json:"nic_type,omitempty"`
	Model           string       `json:"model,omitempty"`
	VLANMode        string       `json:"vlan_mode,omitempty"`
	TrunkedVLANs    []int64      `json:"trunked_vlan_list"`
	NumQueues       *int64       `json:"num_queues,omitempty"`
	MACAddress      string       `json:"mac_address,omitempty"`
	IPEndpoints     []ipEndpoint `json:"ip_endpoint_list"`
	SubnetReference *reference   `json:"subnet_reference,omitempty"`
	IsConnected     *bool        `json:"is_connected,omitempty"`
}

type ipEndpoint struct {
	IP   string `json:"ip,omitempty"`
	Type string `json:"type,omitempty"`
}

// gpu is an entry of gpu_list: vendor, mode and device ID in a spec, all fields in a status.
type gpu struct {
	Vendor             string `json:"vendor,omitempty"`
	Mode               string `json:"mode,omitempty"`
	DeviceID           *int64 `json:"device_id,omitempty"`
	Name               string `json:"name,omitempty"`
	UUID               string `json:"uuid,omitempty"`
	Fraction           *int64 `json:"fraction,omitempty"`
	FrameBufferSizeMiB *int64 `json:"frame_buffer_size_mib,omitempty"`
	PCIAddress         string `json:"pci_address,omitempty"`
}

// vmStatus is what `status` of a VM holds.
type vmStatus struct {
	State            string            `json:"state"`
	Name             string            `json:"name,omitempty"`
	Description      string            `json:"description,omitempty"`
	ClusterReference *reference        `json:"cluster_reference,omitempty"`
	Resources        *vmLiveResources  `json:"resources,omitempty"`
	Messages         []message         `json:"message_list,omitempty"`
	Execution        *executionContext `json:"execution_context,omitempty"`
}

// vmLiveResources is spec.resources as the hypervisor has them, and what only a status shows.
type vmLiveResources struct {
	*vmResources
	HypervisorType string     `json:"hypervisor_type"`
	HostReference  *reference `json:"host_reference,omitempty"`
	BIOSUUID       string     `json:"bios_uuid,omitempty"`
	GenerationUUID string     `json:"generation_uuid,omitempty"`
	ProtectionType string     `json:"protection_type"`
}

// accepted is the answer to a change: 202, state and task.
type accepted struct {
	APIVersion string         `json:"api_version"`
	Metadata   map[string]any `json:"metadata"`
	// Spec is an object after POST and PUT, and a string after DELETE: clients decode it so.
	Spec   any      `json:"spec"`
	Status vmStatus `json:"status"`
}

// orZero gives what p points to, or the zero value.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// valueOr returns what p points to, or other when p is nil.
func valueOr[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

// isEmpty says whether a reference names nothing.
func (r *reference) isEmpty() bool { return r == nil || (r.UUID == "" && r.Name == "") }
