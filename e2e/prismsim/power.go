package prismsim

import (
	"fmt"
	"reflect"
	"slices"
)

// switchOn places a VM on a host and tells the hypervisor. The caller holds the mutex.
func (e *estate) switchOn(m *machine) *taskError {
	if m.power == powerOn {
		return nil
	}
	res := m.live.Resources
	if failed := e.checkMemory(m, *res.MemorySizeMiB); failed != nil {
		return failed
	}
	host, attached, ok := e.place(m)
	if !ok {
		return &taskError{code: "INTERNAL_ERROR", detail: fmt.Sprintf(
			"INTERNAL_ERROR: NoHostResources: No host has enough available GPU resources for VM %s.", m.uuid)}
	}
	m.host, m.gpus, m.power = host, attached, powerOn
	m.v4.switched()
	e.learn(m)
	e.tellOn(m)
	return nil
}

// switchedOffAgain reports whether an update says OFF of a VM that is off, and changes nothing.
func (m *machine) switchedOffAgain(e *estate, body *vmIntent) bool {
	if m.power == powerOn || m.live.Resources == nil {
		return false
	}
	after := *m
	after.want(e, body)
	res := after.spec.Resources
	if res.PowerState != powerOff || !res.sameDevices(m.live.Resources) {
		return false
	}
	// Clients drop fields of devices that they do not know.
	res.DiskList, res.NICList = m.live.Resources.DiskList, m.live.Resources.NICList
	return after.spec.sameAs(m.live) && after.project == m.project && reflect.DeepEqual(after.categories, m.categories)
}

// sameDevices reports whether wanted resources have the disks and NICs that there are, in size and place.
func (res *vmResources) sameDevices(have *vmResources) bool {
	return slices.EqualFunc(res.DiskList, have.DiskList, func(want, d disk) bool {
		return want.UUID == d.UUID && (d.deviceType() == "CDROM" || want.bytes() == 0 || want.bytes() == d.bytes())
	}) && slices.EqualFunc(res.NICList, have.NICList, func(want, n nic) bool {
		return want.UUID == n.UUID && orZero(want.SubnetReference).UUID == n.SubnetReference.UUID &&
			(len(want.IPEndpoints) == 0 || slices.Equal(want.IPEndpoints, n.IPEndpoints))
	})
}

// refusePowerOff returns why switching off a VM that is off fails, or "". The text is this package's own.
func (e *estate) refusePowerOff(m *machine, by Refusal) string {
	if e.rules.PowerOffWhenOff.orElse(NotRefused) != by || m.power == powerOn {
		return ""
	}
	return "VM " + m.uuid + " is not in a state to be powered off: Off."
}

// switchOff frees host and GPUs and tells the hypervisor. The caller holds the mutex.
func (e *estate) switchOff(m *machine) {
	if m.power != powerOn {
		return
	}
	m.host, m.gpus, m.power = nil, nil, powerOff
	m.v4.switched()
	e.tellOff(m)
}

// checkMemory fails when the VMs that are on, with this one at the given size, exceed the memory of the Prism Element.
// The text is that of AHV's placement.
func (e *estate) checkMemory(m *machine, wantMiB int64) *taskError {
	limit := m.element.Memory.Value() / mebibyte
	if limit == 0 {
		return nil
	}
	used := wantMiB
	for _, other := range e.vms.all {
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
func (e *estate) checkHotChange(m *machine, want *vmResources) *taskError {
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
	return e.checkMemory(m, *want.MemorySizeMiB)
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
	for _, m := range e.vms.all {
		if m.host == host {
			n++
		}
	}
	return n
}
