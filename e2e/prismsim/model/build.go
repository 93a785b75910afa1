package model

import (
	"cmp"
	"reflect"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Defaults of Prism for a VM that does not say otherwise.
const (
	defaultMemoryMiB = 1024
	defaultMechanism = "HARD"
)

var defaultBootOrder = []string{"CDROM", "DISK", "NETWORK"}

// Want takes over what a request asks for. Fields that it leaves out keep their value, or get their default in a new VM:
// clients that read, modify and write drop what they do not know.
func (m *VM) Want(e *Central, body *wire.VMIntent) {
	m.Categories = e.Rules.merge(m.Categories, body.Metadata)
	if p := body.Metadata.ProjectReference; !p.IsEmpty() {
		m.Project = p.UUID
	}
	spec := body.Spec.Clone()
	spec.ClusterReference = e.PrismElementReference(m.PrismElement)
	old := m.Spec.Resources
	if old == nil {
		old = standardResources()
	}
	complete(spec.Resources, old)
	m.Spec = spec
}

// standardResources gives the values of a VM that says nothing.
func standardResources() *wire.VMResources {
	return &wire.VMResources{
		NumSockets: new(int64(1)), NumVCPUsPerSocket: new(int64(1)), NumThreadsPerCore: new(int64(1)),
		MemorySizeMiB: new(int64(defaultMemoryMiB)), PowerState: wire.PowerOff,
		PowerStateMechanism:   &wire.PowerMechanism{Mechanism: defaultMechanism, Transition: &wire.GuestTransition{}},
		HardwareClockTimezone: "UTC", MachineType: "PC",
		EnableCPUPassthrough: new(false), IsVCPUHardPinned: new(false), HardwareVirtualized: new(false), VGAConsoleEnabled: new(true),
		VnumaConfig: &wire.VNUMAConfig{}, VTPMConfig: &wire.VTPMConfig{},
		BootConfig: &wire.BootConfig{BootType: "LEGACY", OrderList: defaultBootOrder},
	}
}

// complete fills in what is missing from old.
func complete(res *wire.VMResources, old *wire.VMResources) {
	fields, before := reflect.ValueOf(res).Elem(), reflect.ValueOf(old).Elem()
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Kind() {
		case reflect.Pointer, reflect.String:
			if f.IsZero() {
				f.Set(before.Field(i))
			}
		}
	}
	if res.PowerStateMechanism.Transition == nil {
		res.PowerStateMechanism = &wire.PowerMechanism{Mechanism: res.PowerStateMechanism.Mechanism, Transition: &wire.GuestTransition{}}
	}
	res.PowerStateMechanism.Mechanism = cmp.Or(res.PowerStateMechanism.Mechanism, defaultMechanism)
	res.BootConfig.BootType = cmp.Or(res.BootConfig.BootType, old.BootConfig.BootType)
	if len(res.BootConfig.OrderList) == 0 {
		res.BootConfig.OrderList = defaultBootOrder
	}
	if len(res.GuestTools) == 0 {
		res.GuestTools = old.GuestTools
	}
	// Lists are never null in answers.
	res.DiskList = append([]wire.Disk{}, res.DiskList...)
	res.NICList = append([]wire.NIC{}, res.NICList...)
	res.GPUList = append([]wire.GPU{}, res.GPUList...)
	res.SerialPortList = append([]wire.SerialPort{}, res.SerialPortList...)
}

// realise turns a wanted spec into what the hypervisor has: devices get UUIDs, addresses, MACs and IPs. It changes spec
// in place; old is nil for a new VM. On failure nothing is held.
func (e *Central) realise(m *VM, spec, old *wire.VMSpec) *TaskError {
	var before *wire.VMResources
	if old != nil {
		before = old.Resources
	}
	if failed := e.realiseDisks(m, spec.Resources, before); failed != nil {
		return failed
	}
	return e.realiseNICs(spec.Resources, before)
}

// FinishUpdate makes an accepted change real, with the switching that it asks for.
// offAgain says that the change only switches off a VM that was off.
func (e *Central) FinishUpdate(m *VM, spec wire.VMSpec, offAgain bool) *TaskError {
	m.Pending--
	if e.VMByUUID(m.UUID) == nil {
		return &TaskError{Code: wire.ReasonNotFound, Detail: "ENTITY_NOT_FOUND: VM " + m.UUID + " was deleted"}
	}
	failed := e.Lost(m)
	if text := e.RefusePowerOff(m, RefusedByTask); failed == nil && offAgain && text != "" {
		failed = &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: InvalidVmState: " + text}
	}
	if failed == nil {
		failed = e.change(m, &spec)
	}
	if failed != nil {
		m.fail(failed)
		return failed
	}
	if m.Pending == 0 {
		m.State = wire.StateComplete
	}
	return nil
}

func (e *Central) change(m *VM, spec *wire.VMSpec) *TaskError {
	wantOn := spec.Resources.PowerState == wire.PowerOn
	if !wantOn {
		e.SwitchOff(m)
	}
	if m.Power == wire.PowerOn {
		if failed := e.checkHotChange(m, spec.Resources); failed != nil {
			return failed
		}
	}
	if text := e.RefuseDetach(m.DetachedVolumeGroup(spec.Resources), RefusedByTask); text != "" {
		return &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: " + text}
	}
	if failed := e.realise(m, spec, &m.Live); failed != nil {
		return failed
	}
	m.Live = *spec
	m.V4.Revision++
	m.Updated = time.Now().UTC().Truncate(time.Second)
	if m.Pending == 0 {
		m.Spec = spec.Clone()
	}
	switch {
	case wantOn && m.Power != wire.PowerOn:
		return e.SwitchOn(m)
	case m.Power == wire.PowerOn:
		e.learn(m) // of NICs that were added
	}
	return nil
}
