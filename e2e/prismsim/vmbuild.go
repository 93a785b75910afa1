package prismsim

import (
	"cmp"
	"encoding/json"
	"reflect"
	"time"
)

// Defaults of Prism for a VM that does not say otherwise.
const (
	defaultMemoryMiB = 1024
	defaultMechanism = "HARD"
)

var defaultBootOrder = []string{"CDROM", "DISK", "NETWORK"}

// want takes over what a request asks for. Fields that it leaves out keep their value, or get their default in a new VM:
// clients that read, modify and write drop what they do not know.
func (m *machine) want(e *estate, body *vmIntent) {
	m.categories = e.rules.merge(m.categories, body.Metadata)
	if p := body.Metadata.ProjectReference; !p.isEmpty() {
		m.project = p.UUID
	}
	spec := body.Spec.clone()
	spec.ClusterReference = e.elementReference(m.element)
	old := m.spec.Resources
	if old == nil {
		old = standardResources()
	}
	complete(spec.Resources, old)
	m.spec = spec
}

// standardResources gives the values of a VM that says nothing.
func standardResources() *vmResources {
	return &vmResources{
		NumSockets: new(int64(1)), NumVCPUsPerSocket: new(int64(1)), NumThreadsPerCore: new(int64(1)),
		MemorySizeMiB: new(int64(defaultMemoryMiB)), PowerState: powerOff,
		PowerStateMechanism:   &powerMechanism{Mechanism: defaultMechanism, Transition: &guestTransition{}},
		HardwareClockTimezone: "UTC", MachineType: "PC",
		EnableCPUPassthrough: new(false), IsVCPUHardPinned: new(false), HardwareVirtualized: new(false), VGAConsoleEnabled: new(true),
		VnumaConfig: &vnumaConfig{}, VTPMConfig: &vtpmConfig{},
		BootConfig: &bootConfig{BootType: "LEGACY", OrderList: defaultBootOrder},
	}
}

// complete fills in what is missing from old.
func complete(res *vmResources, old *vmResources) {
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
		res.PowerStateMechanism = &powerMechanism{Mechanism: res.PowerStateMechanism.Mechanism, Transition: &guestTransition{}}
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
	res.DiskList = append([]disk{}, res.DiskList...)
	res.NICList = append([]nic{}, res.NICList...)
	res.GPUList = append([]gpu{}, res.GPUList...)
	res.SerialPortList = append([]serialPort{}, res.SerialPortList...)
}

// clone copies a spec deeply.
func (s vmSpec) clone() vmSpec {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a struct of plain values always marshals
	}
	var out vmSpec
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

func (s vmSpec) sameAs(other vmSpec) bool { return reflect.DeepEqual(s.clone(), other.clone()) }

func (s vmSpec) nics() []nic {
	if s.Resources == nil {
		return nil
	}
	return s.Resources.NICList
}

// equal compares customizations as clients send them back.
func (g *guestCustomization) equal(other *guestCustomization) bool {
	if g == nil || other == nil {
		return g == other
	}
	if (g.CloudInit == nil) != (other.CloudInit == nil) || string(g.Sysprep) != string(other.Sysprep) {
		return false
	}
	return g.CloudInit == nil || (g.CloudInit.UserData == other.CloudInit.UserData && g.CloudInit.MetaData == other.CloudInit.MetaData)
}

// realise turns a wanted spec into what the hypervisor has: devices get UUIDs, addresses, MACs and IPs. It changes spec
// in place; old is nil for a new VM. On failure nothing is held.
func (e *estate) realise(m *machine, spec, old *vmSpec) *taskError {
	var before *vmResources
	if old != nil {
		before = old.Resources
	}
	if failed := e.realiseDisks(m, spec.Resources, before); failed != nil {
		return failed
	}
	return e.realiseNICs(spec.Resources, before)
}

// finishUpdate makes an accepted change real, with the switching that it asks for.
// offAgain says that the change only switches off a VM that was off.
func (e *estate) finishUpdate(m *machine, spec vmSpec, offAgain bool) *taskError {
	m.pending--
	if e.vmByUUID(m.uuid) == nil {
		return &taskError{code: reasonNotFound, detail: "ENTITY_NOT_FOUND: VM " + m.uuid + " was deleted"}
	}
	failed := e.lost(m)
	if text := e.refusePowerOff(m, RefusedByTask); failed == nil && offAgain && text != "" {
		failed = &taskError{code: "INTERNAL_ERROR", detail: "INTERNAL_ERROR: InvalidVmState: " + text}
	}
	if failed == nil {
		failed = e.change(m, &spec)
	}
	if failed != nil {
		m.fail(failed)
		return failed
	}
	if m.pending == 0 {
		m.state = stateComplete
	}
	return nil
}

func (e *estate) change(m *machine, spec *vmSpec) *taskError {
	wantOn := spec.Resources.PowerState == powerOn
	if !wantOn {
		e.switchOff(m)
	}
	if m.power == powerOn {
		if failed := e.checkHotChange(m, spec.Resources); failed != nil {
			return failed
		}
	}
	if text := e.refuseDetach(m.detachedBy(spec.Resources), RefusedByTask); text != "" {
		return &taskError{code: "INTERNAL_ERROR", detail: "INTERNAL_ERROR: " + text}
	}
	if failed := e.realise(m, spec, &m.live); failed != nil {
		return failed
	}
	m.live = *spec
	m.v4.revision++
	m.updated = time.Now().UTC().Truncate(time.Second)
	if m.pending == 0 {
		m.spec = spec.clone()
	}
	switch {
	case wantOn && m.power != powerOn:
		return e.switchOn(m)
	case m.power == powerOn:
		e.learn(m) // of NICs that were added
	}
	return nil
}
