package model

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// VMView is a copy of a VM for guests and tests.
type VMView struct {
	UUID         string    `json:"uuid"`
	BIOSUUID     string    `json:"biosUUID"`
	Name         string    `json:"name"`
	Description  string    `json:"description,omitempty"`
	State        string    `json:"state"`        // COMPLETE, PENDING, ERROR, DELETE_PENDING
	PowerState   string    `json:"powerState"`   // ON, OFF
	PrismElement string    `json:"prismElement"` // name
	Host         string    `json:"host,omitempty"`
	NICs         []NICView `json:"nics"`
	UserData     []byte    `json:"-"` // decoded cloud-init data
	MetaData     []byte    `json:"-"`
	// Categories contains the first value of each key, and CategoryValues contains all values.
	Categories     map[string]string   `json:"categories"`
	CategoryValues map[string][]string `json:"categoryValues"`
	Project        string              `json:"project"` // name
	Sockets        int                 `json:"sockets"`
	VCPUsPerSocket int                 `json:"vcpusPerSocket"`
	MemoryMiB      int64               `json:"memoryMiB"`
	BootType       string              `json:"bootType"`
	Disks          []DiskView          `json:"disks"`
	GPUs           []string            `json:"gpus,omitempty"` // names of the attached GPUs
	Created        time.Time           `json:"created"`
	SpecVersion    int64               `json:"specVersion"`
}

// NICView is a copy of a network interface for guests and tests. IPs contains first the assigned and then the learned
// addresses.
type NICView struct {
	UUID   string   `json:"uuid"`
	Subnet string   `json:"subnet"` // name
	MAC    string   `json:"mac"`
	IPs    []string `json:"ips"`
}

// DiskView is a copy of a disk, a CD-ROM or an attached volume group for guests and tests.
type DiskView struct {
	UUID             string `json:"uuid"`
	DeviceType       string `json:"deviceType"` // DISK, CDROM, VOLUME_GROUP
	AdapterType      string `json:"adapterType"`
	Index            int64  `json:"index"`
	SizeMiB          int64  `json:"sizeMiB"`
	Image            string `json:"image,omitempty"` // UUID
	StorageContainer string `json:"storageContainer,omitempty"`
}

// Current returns the spec that is in effect in the hypervisor. While the VM is being created, Current returns the
// requested spec.
func (m *VM) Current() wire.VMSpec {
	if m.Live.Resources != nil {
		return m.Live
	}
	return m.Spec
}

// View returns a copy of the VM for guests and tests.
func (m *VM) View(pc *Central) VMView {
	now := m.Current()
	res := now.Resources
	vm := VMView{
		UUID: m.UUID, BIOSUUID: m.BIOS, Name: now.Name, Description: now.Description, State: m.State, PowerState: m.Power,
		PrismElement: m.PrismElement.Name, Categories: m.Categories.First(), CategoryValues: m.Categories.Clone(), Project: pc.ProjectByUUID(m.Project).Name,
		Sockets: int(*res.NumSockets), VCPUsPerSocket: int(*res.NumVCPUsPerSocket), MemoryMiB: *res.MemorySizeMiB,
		BootType: res.BootConfig.BootType, Created: m.Created, SpecVersion: m.Version,
	}
	if m.Host != nil {
		vm.Host = m.Host.Name
	}
	if g := res.GuestCustomization; g != nil && g.CloudInit != nil {
		vm.UserData, _ = base64.StdEncoding.DecodeString(g.CloudInit.UserData) // validated with the request
		vm.MetaData, _ = base64.StdEncoding.DecodeString(g.CloudInit.MetaData)
	}
	for _, n := range m.LiveNICs() {
		out := NICView{UUID: n.UUID, Subnet: n.SubnetReference.Name, MAC: n.MACAddress, IPs: []string{}}
		for _, endpoint := range n.IPEndpoints {
			out.IPs = append(out.IPs, endpoint.IP)
		}
		vm.NICs = append(vm.NICs, out)
	}
	for _, d := range res.DiskList {
		address := wire.OrZero(wire.OrZero(d.Properties).Address)
		vm.Disks = append(vm.Disks, DiskView{
			UUID: d.UUID, DeviceType: d.DeviceType(), AdapterType: d.Adapter(), Index: wire.OrZero(address.DeviceIndex),
			SizeMiB: wire.OrZero(d.SizeMiB), Image: wire.OrZero(d.DataSource).UUID, StorageContainer: wire.OrZero(wire.OrZero(d.StorageConfig).Container).Name,
		})
	}
	for _, g := range m.GPUs {
		vm.GPUs = append(vm.GPUs, g.Name)
	}
	return vm
}

// LiveNICs returns the NICs with their learned addresses.
func (m *VM) LiveNICs() []wire.NIC { return m.WithLearned(m.Current().NICs()) }

// WithLearned returns nics with the learned addresses added.
func (m *VM) WithLearned(nics []wire.NIC) []wire.NIC {
	list := append([]wire.NIC{}, nics...)
	if m.Power != wire.PowerOn {
		return list
	}
	for i := range list {
		list[i].IPEndpoints = append([]wire.IPEndpoint{}, list[i].IPEndpoints...)
		for _, address := range append(slices.Clone(m.learned[list[i].UUID]), m.V4.Announced[list[i].UUID]...) {
			list[i].IPEndpoints = append(list[i].IPEndpoints, wire.IPEndpoint{IP: address, Type: wire.TypeLearned})
		}
	}
	return list
}
