package prismsim

import "fmt"

const modeVirtual = "VIRTUAL"

// device is what one VM can have: a physical GPU, or one virtual GPU of it.
type device struct {
	GPU
	uuid       string
	pciAddress string // of the physical GPU
	index      int    // of the virtual GPU within the physical one
	user       *machine
}

// devices gives the GPUs of a host with their users.
func (e *estate) devices(host *Host) []device {
	users := map[string]*machine{}
	for _, m := range e.vms.all {
		for _, used := range m.gpus {
			users[used.UUID] = m
		}
	}
	var out []device
	physical := 0
	for _, model := range host.GPUs {
		instances := 1
		if model.Mode == modeVirtual {
			instances = int(model.Fraction)
		}
		for range model.Count {
			for i := range instances {
				id := deriveUUID("gpu", fmt.Sprintf("%s/%s/%d/%d", host.UUID, model.Name, physical, i))
				out = append(out, device{GPU: model, uuid: id, pciAddress: fmt.Sprintf("0:%x:0:0", 0x3b+physical), index: i, user: users[id]})
			}
			physical++
		}
	}
	return out
}

// attach finds a free device for every wanted GPU.
func (e *estate) attach(host *Host, wanted []gpu) ([]gpu, bool) {
	devices := e.devices(host)
	taken := map[string]bool{}
	var attached []gpu
	for _, want := range wanted {
		free := func(d device) bool { return d.user == nil && !taken[d.uuid] && d.serves(want) }
		found := false
		for _, d := range devices {
			if found = free(d); found {
				taken[d.uuid] = true
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

func (d device) serves(want gpu) bool {
	return d.Mode == want.Mode && d.DeviceID == orZero(want.DeviceID) && (want.Vendor == "" || d.Vendor == want.Vendor)
}

// attached gives the entry of a VM's status.
func (d device) attached() gpu {
	return gpu{
		Vendor: d.Vendor, Mode: d.Mode, DeviceID: new(d.DeviceID), Name: d.Name, UUID: d.uuid,
		Fraction: new(d.Fraction), FrameBufferSizeMiB: new(d.FrameBufferMiB), PCIAddress: d.pciAddress,
	}
}

// hostGPUs gives gpu_list of a host: one entry per physical GPU, or per virtual GPU where it is split into such.
func (e *estate) hostGPUs(host *Host) []map[string]any {
	devices := e.devices(host)
	allocated := map[string]int{} // per physical GPU
	for _, d := range devices {
		if d.user != nil {
			allocated[d.pciAddress]++
		}
	}
	out := []map[string]any{}
	for _, d := range devices {
		entry := map[string]any{
			"uuid": d.uuid, "name": d.Name, "vendor": d.Vendor, "mode": d.Mode, "device_id": d.DeviceID, "pci_address": d.pciAddress,
			"index": d.index, "fraction": d.Fraction, "frame_buffer_size_mib": d.FrameBufferMiB, "license_list": []string{},
			"assignable": d.user == nil, "numa_node": 0, "num_vgpus_allocated": 0, "status": "UNUSED",
		}
		switch used := allocated[d.pciAddress]; {
		case d.Mode == modeVirtual && used > 0:
			entry["status"], entry["num_vgpus_allocated"] = "USED_FOR_VIRTUAL", used
		case used > 0:
			entry["status"] = "USED_FOR_PASSTHROUGH"
		}
		if d.user != nil {
			entry["consumer_reference"] = reference{Kind: "vm", UUID: d.user.uuid, Name: d.user.live.Name}
		}
		out = append(out, entry)
	}
	return out
}
