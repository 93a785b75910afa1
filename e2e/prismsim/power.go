package prismsim

import (
	"fmt"
	"slices"
)

// switchOn places a VM on a host and tells the hypervisor. The caller holds the mutex.
func (s *Server) switchOn(m *machine) *taskError {
	if m.power == powerOn {
		return nil
	}
	res := m.live.Resources
	if failed := s.estate.checkMemory(m, *res.MemorySizeMiB); failed != nil {
		return failed
	}
	host, attached, ok := s.estate.place(m)
	if !ok {
		return &taskError{code: "INTERNAL_ERROR", detail: fmt.Sprintf(
			"INTERNAL_ERROR: NoHostResources: No host has enough available GPU resources for VM %s.", m.uuid)}
	}
	m.host, m.gpus, m.power = host, attached, powerOn
	s.estate.learn(m)
	s.tellOn(m)
	return nil
}

// switchOff frees host and GPUs and tells the hypervisor. The caller holds the mutex.
func (s *Server) switchOff(m *machine) {
	if m.power != powerOn {
		return
	}
	m.host, m.gpus, m.power = nil, nil, powerOff
	s.tellOff(m)
}

// checkMemory fails when the VMs that are on, with this one at the given size, exceed the memory of the Prism Element.
// The text is that of AHV's placement.
func (e *estate) checkMemory(m *machine, wantMiB int64) *taskError {
	limit := m.element.Memory.Value() / mebibyte
	if limit == 0 {
		return nil
	}
	used := wantMiB
	for _, other := range e.vms {
		if other != m && other.element == m.element && other.power == powerOn {
			used += *other.live.Resources.MemorySizeMiB
		}
	}
	if used <= limit {
		return nil
	}
	res := m.spec.Resources
	return &taskError{code: "INTERNAL_ERROR", detail: fmt.Sprintf(
		"INTERNAL_ERROR: NoHostResources: Insufficient resources: No host has enough available memory for VM %s that uses %d vCPUs and %d MB of memory.",
		m.uuid, *res.NumSockets**res.NumVCPUsPerSocket, wantMiB)}
}

// checkHotChange fails for what AHV cannot do to a VM that is on.
func (s *Server) checkHotChange(m *machine, want *vmResources) *taskError {
	have := m.live.Resources
	refuse := ""
	switch {
	case *want.MemorySizeMiB < *have.MemorySizeMiB:
		refuse = "memory cannot be decreased"
	case *want.NumSockets < *have.NumSockets:
		refuse = "the number of vCPUs cannot be decreased"
	case *want.NumVCPUsPerSocket != *have.NumVCPUsPerSocket:
		refuse = "the number of cores per vCPU cannot be changed"
	case want.MachineType != have.MachineType:
		refuse = "the machine type cannot be changed"
	case want.BootConfig.BootType != have.BootConfig.BootType:
		refuse = "the boot type cannot be changed"
	case !slices.EqualFunc(want.GPUList, have.GPUList, gpu.sameModel):
		refuse = "GPUs cannot be changed"
	}
	if refuse != "" {
		return &taskError{code: "INTERNAL_ERROR", detail: fmt.Sprintf("INTERNAL_ERROR: NotSupported: VM %s is powered on: %s.", m.uuid, refuse)}
	}
	return s.estate.checkMemory(m, *want.MemorySizeMiB)
}

func (g gpu) sameModel(other gpu) bool {
	return g.Vendor == other.Vendor && g.Mode == other.Mode && orZero(g.DeviceID) == orZero(other.DeviceID)
}

// place chooses the host with the fewest VMs among those that have the GPUs.
func (e *estate) place(m *machine) (*Host, []gpu, bool) {
	var best *Host
	var bestGPUs []gpu
	fewest := 0
	for i := range m.element.Hosts {
		host := &m.element.Hosts[i]
		attached, ok := e.attach(host, m.live.Resources.GPUList)
		if !ok {
			continue
		}
		if load := e.load(host); best == nil || load < fewest {
			best, bestGPUs, fewest = host, attached, load
		}
	}
	return best, bestGPUs, best != nil
}

func (e *estate) load(host *Host) int {
	n := 0
	for _, m := range e.vms {
		if m.host == host {
			n++
		}
	}
	return n
}

// device is a physical GPU of a host, or a profile of it.
type device struct {
	GPU
	uuid       string
	pciAddress string
	capacity   int // VMs that it can serve
	users      []*machine
}

// devices gives the GPUs of a host with their users.
func (e *estate) devices(host *Host) []device {
	var out []device
	for _, model := range host.GPUs {
		for i := range model.Count {
			d := device{
				GPU: model, capacity: 1,
				uuid:       deriveUUID("gpu", fmt.Sprintf("%s/%s/%d", host.UUID, model.Name, i)),
				pciAddress: fmt.Sprintf("0:%x:0:0", 0x3b+len(out)),
			}
			if model.Mode == "VIRTUAL" {
				d.capacity = int(model.Fraction)
			}
			for _, m := range e.vms {
				for _, used := range m.gpus {
					if used.UUID == d.uuid {
						d.users = append(d.users, m)
					}
				}
			}
			out = append(out, d)
		}
	}
	return out
}

// attach finds a free device for every wanted GPU.
func (e *estate) attach(host *Host, wanted []gpu) ([]gpu, bool) {
	devices := e.devices(host)
	var attached []gpu
	for _, want := range wanted {
		found := false
		for i := range devices {
			d := &devices[i]
			fits := d.Mode == want.Mode && d.DeviceID == orZero(want.DeviceID) && (want.Vendor == "" || d.Vendor == want.Vendor)
			if !fits || d.capacity <= len(d.users) {
				continue
			}
			d.capacity--
			attached = append(attached, gpu{
				Vendor: d.Vendor, Mode: d.Mode, DeviceID: ptr(d.DeviceID), Name: d.Name, UUID: d.uuid,
				Fraction: ptr(d.Fraction), FrameBufferSizeMiB: ptr(d.FrameBufferMiB), PCIAddress: d.pciAddress,
			})
			found = true
			break
		}
		if !found {
			return nil, false
		}
	}
	return attached, true
}
