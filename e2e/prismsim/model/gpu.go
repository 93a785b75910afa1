package model

import (
	"fmt"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Device is a GPU that a single VM can use: a physical GPU, or one virtual GPU of a physical GPU.
type Device struct {
	inventory.GPU
	UUID       string
	PCIAddress string // address of the physical GPU
	Index      int    // index of the virtual GPU on the physical GPU
	User       *VM
}

// Devices returns the GPUs of a host and the VMs that use the GPUs.
func (pc *Central) Devices(host *inventory.Host) []Device {
	users := map[string]*VM{}
	for _, m := range pc.VMs.All {
		for _, used := range m.GPUs {
			users[used.UUID] = m
		}
	}
	var out []Device
	physical := 0
	for _, model := range host.GPUs {
		instances := 1
		if model.Mode == inventory.ModeVirtual {
			instances = int(model.Fraction)
		}
		for range model.Count {
			for i := range instances {
				id := inventory.DeriveUUID("gpu", fmt.Sprintf("%s/%s/%d/%d", host.UUID, model.Name, physical, i))
				out = append(out, Device{GPU: model, UUID: id, PCIAddress: fmt.Sprintf("0:%x:0:0", 0x3b+physical), Index: i, User: users[id]})
			}
			physical++
		}
	}
	return out
}

// attach returns a free device for every wanted GPU. It returns false if there are not enough free devices.
func (pc *Central) attach(host *inventory.Host, wanted []wire.GPU) ([]wire.GPU, bool) {
	devices := pc.Devices(host)
	taken := map[string]bool{}
	var attached []wire.GPU
	for _, want := range wanted {
		free := func(d Device) bool { return d.User == nil && !taken[d.UUID] && d.serves(want) }
		found := false
		for _, d := range devices {
			if found = free(d); found {
				taken[d.UUID] = true
				attached = append(attached, d.attached())
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return attached, true
}

func (d Device) serves(want wire.GPU) bool {
	return d.Mode == want.Mode && d.DeviceID == wire.OrZero(want.DeviceID) && (want.Vendor == "" || d.Vendor == want.Vendor)
}

// attached returns the entry for the device in the status of the VM that uses the device.
func (d Device) attached() wire.GPU {
	return wire.GPU{
		Vendor: d.Vendor, Mode: d.Mode, DeviceID: new(d.DeviceID), Name: d.Name, UUID: d.UUID,
		Fraction: new(d.Fraction), FrameBufferSizeMiB: new(d.FrameBufferMiB), PCIAddress: d.PCIAddress,
	}
}

const HostMemoryMiB = 512 * 1024
