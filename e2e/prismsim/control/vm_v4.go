package control

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// SetCustomAttributes replaces the custom attributes ("key:value") of a VM.
func (c *Control) SetCustomAttributes(vmUUID string, attributes ...string) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		m.V4.Attributes = slices.Clone(attributes)
		return nil
	})
}

// ShowPowerState makes the v4 API show a power state until the real one changes: ON, OFF, PAUSED, UNDETERMINED, or none for "". The VM
// itself does not change.
func (c *Control) ShowPowerState(vmUUID, state string) error {
	if !slices.Contains([]string{wire.PowerOn, wire.PowerOff, "PAUSED", "UNDETERMINED", ""}, state) {
		return fmt.Errorf("showing power state of VM %s: %q is not one of ON, OFF, PAUSED, UNDETERMINED", vmUUID, state)
	}
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		m.V4.Shown = &state
		return nil
	})
}

// LearnAddress adds an address to a NIC that something in the guest announces, such as the virtual IP of kube-vip. An empty NIC means
// the first one. The address belongs to no pool and is shown while the VM is on.
func (c *Control) LearnAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *model.VMDetails, nic string) {
		if v.Announced == nil {
			v.Announced = map[string][]string{}
		}
		v.Announced[nic] = model.AddStrings(v.Announced[nic], []string{address})
	})
}

// ForgetAddress removes an address that LearnAddress has added.
func (c *Control) ForgetAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *model.VMDetails, nic string) {
		v.Announced[nic] = model.RemoveStrings(v.Announced[nic], []string{address})
	})
}

// AddSecondaryAddress configures a further IPv4 address of a NIC. An empty NIC means the first one.
func (c *Control) AddSecondaryAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *model.VMDetails, nic string) {
		if v.Secondary == nil {
			v.Secondary = map[string][]string{}
		}
		v.Secondary[nic] = model.AddStrings(v.Secondary[nic], []string{address})
	})
}

func (c *Control) changeAddresses(vmUUID, nicUUID, address string, change func(v *model.VMDetails, nic string)) error {
	if _, err := netip.ParseAddr(address); err != nil {
		return fmt.Errorf("changing addresses of VM %s: %w", vmUUID, err)
	}
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		for _, n := range m.Current().NICs() {
			if nicUUID == "" || n.UUID == nicUUID {
				change(&m.V4, n.UUID)
				return nil
			}
		}
		return fmt.Errorf("changing addresses of VM %s: it has no NIC %q", vmUUID, nicUUID)
	})
}

// ChangeExtID changes the UUID of a VM, as an unplanned failover of a metro cluster does, and returns the new one. BIOS UUID, name,
// NICs and custom attributes stay, and its guest keeps running. An empty UUID means a random one.
func (c *Control) ChangeExtID(vmUUID, newUUID string) (string, error) {
	newUUID = cmp.Or(newUUID, uuid.NewString())
	newUUID = strings.ToLower(newUUID)
	return newUUID, c.changeFromOutside(vmUUID, func(m *model.VM) error {
		if err := c.central.FreeUUID(newUUID); err != nil {
			return fmt.Errorf("changing ID of VM %s: %w", vmUUID, err)
		}
		m.UUID = newUUID
		return nil
	})
}
