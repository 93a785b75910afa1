package model

import (
	"cmp"
	"errors"
	"reflect"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Default values of Prism for the fields of a VM.
const (
	defaultMemoryMiB = 1024
	defaultMechanism = "HARD"
)

var defaultBootOrder = []string{"CDROM", "DISK", "NETWORK"}

// SetSpec replaces the spec of a VM by the spec in a request. Fields that the request omits keep their values. In a new
// VM they get the defaults. SetSpec does not clear omitted fields, because clients that read, modify and write a VM
// omit fields that they do not know.
func (m *VM) SetSpec(pc *Central, body *wire.VMIntent) {
	m.Categories = pc.Rules.merge(m.Categories, body.Metadata)
	if p := body.Metadata.ProjectReference; !p.IsEmpty() {
		m.Project = p.UUID
	}
	spec := body.Spec.Clone()
	spec.ClusterReference = pc.PrismElementReference(m.PrismElement)
	old := m.Spec.Resources
	if old == nil {
		old = standardResources()
	}
	Complete(spec.Resources, old)
	m.Spec = spec
}

// standardResources returns the default resources of a VM.
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

// Complete copies fields that are missing in res from old. Lists are not copied.
func Complete(res *wire.VMResources, old *wire.VMResources) {
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
	// Lists in responses are never null.
	res.DiskList = append([]wire.Disk{}, res.DiskList...)
	res.NICList = append([]wire.NIC{}, res.NICList...)
	res.GPUList = append([]wire.GPU{}, res.GPUList...)
	res.SerialPortList = append([]wire.SerialPort{}, res.SerialPortList...)
}

// applySpec completes the devices of a spec with UUIDs, device addresses, MAC addresses and IP addresses. old is the
// former spec, or nil for a new VM. If applySpec fails, it releases the IP addresses that it has assigned.
func (pc *Central) applySpec(m *VM, spec, old *wire.VMSpec) *TaskError {
	var before *wire.VMResources
	if old != nil {
		before = old.Resources
	}
	if failed := pc.applyDisks(m, spec.Resources, before); failed != nil {
		return failed
	}
	return pc.applyNICs(spec.Resources, before)
}

// FinishUpdate applies an update at the end of its task. offAgain is true if the update only switches off a VM that was
// already off.
func (pc *Central) FinishUpdate(m *VM, spec wire.VMSpec, offAgain bool) *TaskError {
	m.Pending--
	if pc.VMByUUID(m.UUID) == nil {
		return &TaskError{Code: wire.ReasonNotFound, Detail: "ENTITY_NOT_FOUND: VM " + m.UUID + " was deleted"}
	}
	failed := pc.UnreachableError(m)
	if text := pc.RefusePowerOff(m, RefusedByTask); failed == nil && offAgain && text != "" {
		failed = &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: InvalidVmState: " + text}
	}
	if failed == nil {
		failed = pc.applyUpdate(m, &spec)
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

func (pc *Central) applyUpdate(m *VM, spec *wire.VMSpec) *TaskError {
	wantOn := spec.Resources.PowerState == wire.PowerOn
	if !wantOn {
		pc.SwitchOff(m)
	}
	if m.Power == wire.PowerOn {
		if failed := pc.checkHotChange(m, spec.Resources); failed != nil {
			return failed
		}
	}
	if text := pc.RefuseDetach(m.DetachedVolumeGroup(spec.Resources), RefusedByTask); text != "" {
		return &TaskError{Code: "INTERNAL_ERROR", Detail: "INTERNAL_ERROR: " + text}
	}
	if failed := pc.applySpec(m, spec, &m.Live); failed != nil {
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
		return pc.SwitchOn(m)
	case m.Power == wire.PowerOn:
		pc.learn(m) // the update may have added NICs
	}
	return nil
}

// Reconfigure changes a VM at the end of the task of a v4 request. change edits a copy of the spec that is in effect. The
// power state of the VM stays. If Reconfigure returns an error, the VM is unchanged.
func (pc *Central) Reconfigure(m *VM, change func(*wire.VMSpec) *TaskError) *TaskError {
	spec := m.Live.Clone()
	if failed := change(&spec); failed != nil {
		return failed
	}
	spec.Resources.PowerState = m.Power
	if err := pc.checkResources(spec.Resources, m.PrismElement, m); err != nil {
		return &TaskError{Code: "INVALID_ARGUMENT", Detail: RefusalText(err)}
	}
	if failed := pc.applyUpdate(m, &spec); failed != nil {
		return failed
	}
	m.Version++
	return nil
}

// RefusalText returns the message of an error response.
func RefusalText(err error) string {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return refused.Message
	}
	return err.Error()
}
