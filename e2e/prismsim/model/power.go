package model

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// SwitchOn assigns a VM to a host and notifies the hypervisor. The caller must hold the mutex.
func (pc *Central) SwitchOn(m *VM) *TaskError {
	if m.Power == wire.PowerOn {
		return nil
	}
	res := m.Live.Resources
	if failed := pc.checkMemory(m, *res.MemorySizeMiB); failed != nil {
		return failed
	}
	host, attached, ok := pc.place(m)
	if !ok {
		return &TaskError{Code: "INTERNAL_ERROR", Detail: fmt.Sprintf(
			"INTERNAL_ERROR: NoHostResources: No host has enough available GPU resources for VM %s.", m.UUID)}
	}
	m.Host, m.GPUs, m.Power = host, attached, wire.PowerOn
	m.V4.switched()
	pc.learn(m)
	pc.notifyOn(m)
	return nil
}

// SwitchedOffAgain reports whether an update request sets power_state OFF for a VM that is already off, and changes
// nothing else.
func (m *VM) SwitchedOffAgain(pc *Central, body *wire.VMIntent) bool {
	if m.Power == wire.PowerOn || m.Live.Resources == nil {
		return false
	}
	after := *m
	after.SetSpec(pc, body)
	res := after.Spec.Resources
	if res.PowerState != wire.PowerOff || !res.SameDevices(m.Live.Resources) {
		return false
	}
	// Clients omit fields of devices that they do not know.
	res.DiskList, res.NICList = m.Live.Resources.DiskList, m.Live.Resources.NICList
	return after.Spec.SameAs(m.Live) && after.Project == m.Project && reflect.DeepEqual(after.Categories, m.Categories)
}

// RefusePowerOff returns the error message for switching off a VM that is already off, if by is the value of the rule
// PowerOffWhenOff. Otherwise it returns an empty string. This package defines the message.
func (pc *Central) RefusePowerOff(m *VM, by Refusal) string {
	if pc.Rules.PowerOffWhenOff.orElse(NotRefused) != by || m.Power == wire.PowerOn {
		return ""
	}
	return "VM " + m.UUID + " is not in a state to be powered off: Off."
}

// SwitchOff releases the host and the GPUs of a VM and notifies the hypervisor. The caller must hold the mutex.
func (pc *Central) SwitchOff(m *VM) {
	if m.Power != wire.PowerOn {
		return
	}
	m.Host, m.GPUs, m.Power = nil, nil, wire.PowerOff
	m.V4.switched()
	pc.notifyOff(m)
}

// checkMemory returns an error if the VMs that are on would exceed the memory of the Prism Element after the memory of
// m changes to wantMiB. The message is a real message of AHV.
func (pc *Central) checkMemory(m *VM, wantMiB int64) *TaskError {
	limit := m.PrismElement.Memory.Value() / wire.Mebibyte
	if limit == 0 {
		return nil
	}
	used := wantMiB
	for _, other := range pc.VMs.All {
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

// checkHotChange returns an error for changes that AHV does not support while a VM is on.
func (pc *Central) checkHotChange(m *VM, want *wire.VMResources) *TaskError {
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
	return pc.checkMemory(m, *want.MemorySizeMiB)
}

// place selects a host for a VM: the host with the fewest VMs among the hosts that have enough free GPUs. Hosts with VMs
// from which an anti-affinity policy keeps the VM apart come last.
func (pc *Central) place(m *VM) (*inventory.Host, []wire.GPU, bool) {
	var best *inventory.Host
	var bestGPUs []wire.GPU
	var fewest [2]int
	for i := range m.PrismElement.Hosts {
		host := &m.PrismElement.Hosts[i]
		attached, ok := pc.attach(host, m.Live.Resources.GPUList)
		if !ok {
			continue
		}
		load := [2]int{pc.Violations(m, host, pc.Policies.All...), pc.VMCount(host)}
		if best == nil || slices.Compare(load[:], fewest[:]) < 0 {
			best, bestGPUs, fewest = host, attached, load
		}
	}
	return best, bestGPUs, best != nil
}

// VMCount returns the number of VMs on a host.
func (pc *Central) VMCount(host *inventory.Host) int {
	n := 0
	for _, m := range pc.VMs.All {
		if m.Host == host {
			n++
		}
	}
	return n
}
