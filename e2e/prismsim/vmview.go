package prismsim

import (
	"encoding/base64"
	"slices"
	"strconv"
	"time"
)

// VM is a VM as a guest or a test sees it.
type VM struct {
	UUID         string `json:"uuid"`
	BIOSUUID     string `json:"biosUUID"`
	Name         string `json:"name"`
	Description  string `json:"description,omitempty"`
	State        string `json:"state"`        // COMPLETE, PENDING, ERROR, DELETE_PENDING
	PowerState   string `json:"powerState"`   // ON, OFF
	PrismElement string `json:"prismElement"` // name
	Host         string `json:"host,omitempty"`
	NICs         []NIC  `json:"nics"`
	UserData     []byte `json:"-"` // decoded cloud-init data
	MetaData     []byte `json:"-"`
	// Categories has the first value of each key, CategoryValues has all values.
	Categories     map[string]string   `json:"categories"`
	CategoryValues map[string][]string `json:"categoryValues"`
	Project        string              `json:"project"` // name
	Sockets        int                 `json:"sockets"`
	VCPUsPerSocket int                 `json:"vcpusPerSocket"`
	MemoryMiB      int64               `json:"memoryMiB"`
	BootType       string              `json:"bootType"`
	Disks          []Disk              `json:"disks"`
	GPUs           []string            `json:"gpus,omitempty"` // names of the attached GPUs
	Created        time.Time           `json:"created"`
	SpecVersion    int64               `json:"specVersion"`
}

// NIC is a network interface of a VM; IPs holds the addresses ASSIGNED by Prism, then those LEARNED.
type NIC struct {
	UUID   string   `json:"uuid"`
	Subnet string   `json:"subnet"` // name
	MAC    string   `json:"mac"`
	IPs    []string `json:"ips"`
}

// Disk is a disk or CD-ROM of a VM.
type Disk struct {
	UUID             string `json:"uuid"`
	DeviceType       string `json:"deviceType"` // DISK, CDROM, VOLUME_GROUP
	AdapterType      string `json:"adapterType"`
	Index            int64  `json:"index"`
	SizeMiB          int64  `json:"sizeMiB"`
	Image            string `json:"image,omitempty"` // UUID
	StorageContainer string `json:"storageContainer,omitempty"`
}

// current gives what the hypervisor has, or what is wanted while it has nothing yet.
func (m *machine) current() vmSpec {
	if m.live.Resources != nil {
		return m.live
	}
	return m.spec
}

func (m *machine) export(e *estate) VM {
	now := m.current()
	res := now.Resources
	vm := VM{
		UUID: m.uuid, BIOSUUID: m.bios, Name: now.Name, Description: now.Description, State: m.state, PowerState: m.power,
		PrismElement: m.element.Name, Categories: m.categories.first(), CategoryValues: m.categories.clone(), Project: e.projectByUUID(m.project).Name,
		Sockets: int(*res.NumSockets), VCPUsPerSocket: int(*res.NumVCPUsPerSocket), MemoryMiB: *res.MemorySizeMiB,
		BootType: res.BootConfig.BootType, Created: m.created, SpecVersion: m.version,
	}
	if m.host != nil {
		vm.Host = m.host.Name
	}
	if g := res.GuestCustomization; g != nil && g.CloudInit != nil {
		vm.UserData, _ = base64.StdEncoding.DecodeString(g.CloudInit.UserData) // checked when it came
		vm.MetaData, _ = base64.StdEncoding.DecodeString(g.CloudInit.MetaData)
	}
	for _, n := range m.liveNICs() {
		out := NIC{UUID: n.UUID, Subnet: n.SubnetReference.Name, MAC: n.MACAddress, IPs: []string{}}
		for _, endpoint := range n.IPEndpoints {
			out.IPs = append(out.IPs, endpoint.IP)
		}
		vm.NICs = append(vm.NICs, out)
	}
	for _, d := range res.DiskList {
		address := orZero(orZero(d.Properties).Address)
		vm.Disks = append(vm.Disks, Disk{
			UUID: d.UUID, DeviceType: d.deviceType(), AdapterType: d.adapter(), Index: orZero(address.DeviceIndex),
			SizeMiB: orZero(d.SizeMiB), Image: orZero(d.DataSource).UUID, StorageContainer: orZero(orZero(d.StorageConfig).Container).Name,
		})
	}
	for _, g := range m.gpus {
		vm.GPUs = append(vm.GPUs, g.Name)
	}
	return vm
}

// liveNICs gives the NICs with the learned addresses that only a status shows.
func (m *machine) liveNICs() []nic { return m.withLearned(m.current().nics()) }

// withLearned adds the learned addresses to NICs.
func (m *machine) withLearned(nics []nic) []nic {
	list := append([]nic{}, nics...)
	if m.power != powerOn {
		return list
	}
	for i := range list {
		list[i].IPEndpoints = append([]ipEndpoint{}, list[i].IPEndpoints...)
		for _, address := range append(slices.Clone(m.learned[list[i].UUID]), m.v4.announced[list[i].UUID]...) {
			list[i].IPEndpoints = append(list[i].IPEndpoints, ipEndpoint{IP: address, Type: typeLearned})
		}
	}
	return list
}

// vmBody gives the body of GET /vms/{uuid}; the caller holds the mutex.
func vmBody(m *machine, e *estate) entity {
	now := m.current()
	res := *now.Resources
	res.PowerState = m.power
	res.NICList = m.liveNICs()
	if len(m.gpus) > 0 {
		res.GPUList = m.gpus
	}
	live := &vmLiveResources{
		vmResources: &res, HypervisorType: "AHV", BIOSUUID: m.bios,
		GenerationUUID: deriveUUID("generation", m.uuid), ProtectionType: "UNPROTECTED",
	}
	if m.host != nil {
		live.HostReference = &reference{Kind: "host", Name: m.host.Name, UUID: m.host.UUID}
	}
	project := e.projectByUUID(m.project)
	return entity{
		APIVersion: apiVersion,
		Metadata: &metadata{
			Kind: "vm", UUID: m.uuid, SpecVersion: new(m.version), EntityVersion: strconv.FormatInt(m.version+1, 10),
			CreationTime: new(m.created), LastUpdateTime: new(m.updated), OwnerReference: e.owner(),
			ProjectReference: &reference{Kind: "project", Name: project.Name, UUID: project.UUID},
			Categories:       m.categories.first(), Mapping: m.categories.clone(),
		},
		Spec: shownSpec(m, e.rules),
		Status: vmStatus{
			State: m.state, Name: now.Name, Description: now.Description, ClusterReference: now.ClusterReference,
			Resources: live, Messages: m.messages, Execution: &executionContext{TaskUUID: append([]string{}, m.tasks...)},
		},
	}
}

// shownSpec returns the spec of a VM as reading it shows it.
func shownSpec(m *machine, rules Rules) vmSpec {
	if !rules.LearnedInSpec || m.spec.Resources == nil {
		return m.spec
	}
	out, res := m.spec, *m.spec.Resources
	res.NICList, out.Resources = m.withLearned(res.NICList), &res
	return out
}

// VMs gives all VMs whose creation ended, oldest first.
func (c *control) VMs() []VM {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	out := []VM{}
	for _, m := range c.estate.vms.all {
		if m.exists {
			out = append(out, m.export(c.estate))
		}
	}
	return out
}
