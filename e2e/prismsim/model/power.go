package model

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// SwitchOn places a VM on a host and tells the hypervisor. The caller holds the mutex.
func (e *Central) SwitchOn(m *VM) *TaskError {
	if m.Power == wire.PowerOn {
		return nil
	}
	res := m.Live.Resources
	if failed := e.checkMemory(m, *res.MemorySizeMiB); failed != nil {
		return failed
	}
	host, attached, ok := e.place(m)
	if !ok {
		return &TaskError{Code: "INTERNAL_ERROR", Detail: fmt.Sprintf(
			"INTERNAL_ERROR: NoHostResources: No host has enough available GPU resources for VM %s.", m.UUID)}
	}
	m.Host, m.GPUs, m.Power = host, attached, wire.PowerOn
	m.V4.switched()
	e.learn(m)
	e.tellOn(m)
	return nil
}

// SwitchedOffAgain reports whether an update says OFF of a VM that is off, and changes nothing.
func (m *VM) SwitchedOffAgain(e *Central, body *wire.VMIntent) bool {
	if m.Power == wire.PowerOn || m.Live.Resources == nil {
		return false
	}
	after := *m
	after.Want(e, body)
	res := after.Spec.Resources
	if res.PowerState != wire.PowerOff || !res.SameDevices(m.Live.Resources) {
		return false
	}
	// Clients drop fields of devices that they do not know.
	res.DiskList, res.NICList = m.Live.Resources.DiskList, m.Live.Resources.NICList
	return after.Spec.SameAs(m.Live) && after.Project == m.Project && reflect.DeepEqual(after.Categories, m.Categories)
}

// RefusePowerOff returns why switching off a VM that is off fails, or "". The text is this package's own.
func (e *Central) RefusePowerOff(m *VM, by Refusal) string {
	if e.Rules.PowerOffWhenOff.orElse(NotRefused) != by || m.Power == wire.PowerOn {
		return ""
	}
	return "VM " + m.UUID + " is not in a state to be powered off: Off."
}

// SwitchOff frees host and GPUs and tells the hypervisor. The caller holds the mutex.
func (e *Central) SwitchOff(m *VM) {
	if m.Power != wire.PowerOn {
		return
	}
	m.Host, m.GPUs, m.Power = nil, nil, wire.PowerOff
	m.V4.switched()
	e.tellOff(m)
}

// checkMemory fails when the VMs that are on, with this one at the given size, exceed the memory of the Prism Element.
// The text is that of AHV's placement.
func (e *Central) checkMemory(m *VM, wantMiB int64) *TaskError {
	limit := m.PrismElement.Memory.Value() / wire.Mebibyte
	if limit == 0 {
		return nil
	}
	used := wantMiB
	for _, other := range e.VMs.All {
		if other != m && other.PrismElement == m.PrismElement && other.Power == wire.PowerOn {
			used += *other.Live.Resources.MemorySizeMiB
		}
	}
	if used <= limit {
		return nil
	}
	res := m.Spec.Resources
	return &TaskError{Code: "INTERNAL_ERROR", Detail: fmt.Sprintf(
		"INTERNAL_ERROR: NoHostResources: Insufficient resources: No host has enough available memory for VM %s that uses %d vCPUs and %d MB of memory.",
		m.UUID, *res.NumSockets**res.NumVCPUsPerSocket, wantMiB)}
}

// checkHotChange fails for what AHV cannot do to a VM that is on.
func (e *Central) checkHotChange(m *VM, want *wire.VMResources) *TaskError {
	have := m.Live.Resources
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
	case !slices.EqualFunc(want.GPUList, have.GPUList, wire.GPU.SameModel):
		refuse = "GPUs cannot be changed"
	}
	if refuse != "" {
		return &TaskError{Code: "INTERNAL_ERROR", Detail: fmt.Sprintf("INTERNAL_ERROR: NotSupported: VM %s is powered on: %s.", m.UUID, refuse)}
	}
	return e.checkMemory(m, *want.MemorySizeMiB)
}

// place chooses the host with the fewest VMs among those that have the GPUs.
func (e *Central) place(m *VM) (*inventory.Host, []wire.GPU, bool) {
	var best *inventory.Host
	var bestGPUs []wire.GPU
	fewest := 0
	for i := range m.PrismElement.Hosts {
		host := &m.PrismElement.Hosts[i]
		attached, ok := e.attach(host, m.Live.Resources.GPUList)
		if !ok {
			continue
		}
		if load := e.Load(host); best == nil || load < fewest {
			best, bestGPUs, fewest = host, attached, load
		}
	}
	return best, bestGPUs, best != nil
}

func (e *Central) Load(host *inventory.Host) int {
	n := 0
	for _, m := range e.VMs.All {
		if m.Host == host {
			n++
		}
	}
	return n
}
