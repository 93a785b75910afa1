package vmm

import (
	"encoding/json"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// reference refers to another entity.
type reference struct {
	ExtID string `json:"extId"`
}

// kind returns a v3 reference to an entity of a kind, or nil if r refers to none.
func (r *reference) kind(kind string) *wire.Reference {
	if r == nil || r.ExtID == "" {
		return nil
	}
	return &wire.Reference{Kind: kind, UUID: strings.ToLower(r.ExtID)}
}

// vmBody is the body of a request that creates or updates a VM. It has the properties that both APIs have. Further has
// the properties that only the v4 API has.
type vmBody struct {
	Name                  string          `json:"name"`
	Description           string          `json:"description"`
	BIOSUUID              string          `json:"biosUuid"`
	NumSockets            *int64          `json:"numSockets"`
	NumCoresPerSocket     *int64          `json:"numCoresPerSocket"`
	NumThreadsPerCore     *int64          `json:"numThreadsPerCore"`
	NumNumaNodes          *int64          `json:"numNumaNodes"`
	MemorySizeBytes       *int64          `json:"memorySizeBytes"`
	HardwareClockTimezone string          `json:"hardwareClockTimezone"`
	MachineType           string          `json:"machineType"`
	HardPinning           *bool           `json:"isVcpuHardPinningEnabled"`
	CPUPassthrough        *bool           `json:"isCpuPassthroughEnabled"`
	VGAConsole            *bool           `json:"isVgaConsoleEnabled"`
	Cluster               *reference      `json:"cluster"`
	Project               *reference      `json:"project"`
	Categories            []reference     `json:"categories"`
	Disks                 []diskBody      `json:"disks"`
	CDROMs                []diskBody      `json:"cdRoms"`
	NICs                  []nicBody       `json:"nics"`
	GPUs                  []gpuBody       `json:"gpus"`
	SerialPorts           []serialBody    `json:"serialPorts"`
	BootConfig            *bootBody       `json:"bootConfig"`
	GuestCustomization    *customizedBody `json:"guestCustomization"`
	VTPMConfig            *struct {
		Enabled bool `json:"isVtpmEnabled"`
	} `json:"vtpmConfig"`
	Further map[string]any `json:"-"`
}

// onlyV4 contains the properties of a VM that v3 does not have and that clients can set.
var onlyV4 = []string{
	"isCpuHotplugEnabled", "isMemoryOvercommitEnabled", "isGpuConsoleEnabled", "isScsiControllerEnabled", "isBrandingEnabled", "isAgentVm",
	"enabledCpuFeatures", "apcConfig", "storageConfig", "availabilityZone", "source", "guestTools", "protectionPolicyState", "generationUuid",
}

// readVM decodes the body of a request and checks the sizes.
func readVM(r *v4.Request) (*vmBody, error) {
	var raw json.RawMessage
	if err := r.Decode(&raw); err != nil {
		return nil, err
	}
	var body vmBody
	var all map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, v4.InvalidBody("", "Unable to parse JSON - %s", err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, v4.InvalidBody("", "Unable to parse JSON - %s", err)
	}
	all = v4.ObjectOf(all)
	body.Further = map[string]any{}
	for _, name := range onlyV4 {
		if value, sent := all[name]; sent && value != nil {
			body.Further[name] = value
		}
	}
	for name, size := range map[string]*int64{
		"numSockets": body.NumSockets, "numCoresPerSocket": body.NumCoresPerSocket, "numThreadsPerCore": body.NumThreadsPerCore, "memorySizeBytes": body.MemorySizeBytes,
	} {
		if size != nil && *size < 1 {
			return nil, v4.InvalidBody(name, "Numeric instance is lower than the required minimum (minimum: 1, found: %d)", *size)
		}
	}
	return &body, nil
}

// intent returns the VM in the format of v3, without its power state. The VM is off.
func (b *vmBody) intent() *wire.VMIntent {
	res := b.resources()
	for _, disk := range b.Disks {
		res.DiskList = append(res.DiskList, disk.wire("DISK"))
	}
	for _, disk := range b.CDROMs {
		res.DiskList = append(res.DiskList, disk.wire("CDROM"))
	}
	for _, nic := range b.NICs {
		res.NICList = append(res.NICList, nic.wire())
	}
	for _, gpu := range b.GPUs {
		res.GPUList = append(res.GPUList, gpu.wire())
	}
	for _, port := range b.SerialPorts {
		res.SerialPortList = append(res.SerialPortList, wire.SerialPort(port))
	}
	if b.GuestCustomization != nil {
		res.GuestCustomization = b.GuestCustomization.wire()
	}
	return &wire.VMIntent{
		Metadata: &wire.Metadata{Kind: "vm", ProjectReference: b.Project.kind("project"), UseMapping: true, Mapping: map[string][]string{}},
		Spec:     &wire.VMSpec{Name: b.Name, Description: b.Description, ClusterReference: b.Cluster.kind("cluster"), Resources: res},
	}
}

// resources returns the properties of the VM without its devices.
func (b *vmBody) resources() *wire.VMResources {
	res := &wire.VMResources{
		NumSockets: b.NumSockets, NumVCPUsPerSocket: b.NumCoresPerSocket, NumThreadsPerCore: b.NumThreadsPerCore, PowerState: wire.PowerOff,
		HardwareClockTimezone: b.HardwareClockTimezone, MachineType: b.MachineType,
		EnableCPUPassthrough: b.CPUPassthrough, IsVCPUHardPinned: b.HardPinning, VGAConsoleEnabled: b.VGAConsole,
	}
	if b.MemorySizeBytes != nil {
		res.MemorySizeMiB = new(wire.Mebibytes(*b.MemorySizeBytes))
	}
	if b.NumNumaNodes != nil {
		res.VnumaConfig = &wire.VNUMAConfig{NumVnumaNodes: *b.NumNumaNodes}
	}
	if b.VTPMConfig != nil {
		res.VTPMConfig = &wire.VTPMConfig{Enabled: b.VTPMConfig.Enabled}
	}
	if b.BootConfig != nil {
		res.BootConfig = b.BootConfig.wire()
	}
	return res
}

// over returns the properties of the VM. Properties that the body omits, the devices and the guest customization are
// those of old.
func (b *vmBody) over(old *wire.VMResources) *wire.VMResources {
	res := b.resources()
	res.DiskList, res.NICList, res.GPUList, res.SerialPortList = old.DiskList, old.NICList, old.GPUList, old.SerialPortList
	model.Complete(res, old)
	return res
}

// customizedBody is the guest customization of a VM.
type customizedBody struct {
	Config struct {
		Type     string `json:"$objectType"`
		Metadata string `json:"metadata"`
		Script   struct {
			Value string `json:"value"`
		} `json:"cloudInitScript"`
		Sysprep json.RawMessage `json:"sysprepScript"`
	} `json:"config"`
}

func (b *customizedBody) wire() *wire.GuestCustomization {
	if strings.HasSuffix(b.Config.Type, ".CloudInit") {
		return &wire.GuestCustomization{CloudInit: &wire.CloudInit{MetaData: b.Config.Metadata, UserData: b.Config.Script.Value}}
	}
	return &wire.GuestCustomization{Sysprep: b.Config.Sysprep}
}

// bootBody is the boot configuration of a VM.
type bootBody struct {
	Type       string          `json:"$objectType"`
	Order      []string        `json:"bootOrder"`
	SecureBoot bool            `json:"isSecureBootEnabled"`
	Device     *bootDeviceBody `json:"bootDevice"`
}

// bootDeviceBody is the device from which a VM boots: a disk or a NIC.
type bootDeviceBody struct {
	DiskAddress *addressBody `json:"diskAddress"`
	MACAddress  string       `json:"macAddress"`
}

// bootDevice is a boot device in the format of v3.
type bootDevice struct {
	DiskAddress *wire.DiskAddress `json:"disk_address,omitempty"`
	MACAddress  string            `json:"mac_address,omitempty"`
}

func (b *bootBody) wire() *wire.BootConfig {
	out := &wire.BootConfig{BootType: "LEGACY", OrderList: b.Order}
	switch {
	case b.SecureBoot:
		out.BootType = "SECURE_BOOT"
	case strings.HasSuffix(b.Type, ".UefiBoot"):
		out.BootType = "UEFI"
	}
	if b.Device != nil {
		out.Device = wire.Marshal(bootDevice{DiskAddress: b.Device.DiskAddress.wire(), MACAddress: b.Device.MACAddress})
	}
	return out
}
