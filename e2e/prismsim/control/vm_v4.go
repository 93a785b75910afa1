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

// ShowPowerState makes the v4 API show the power state ON, OFF, PAUSED or UNDETERMINED until the real power state
// changes. If state is empty, the API shows no power state. The VM itself does not change.
func (c *Control) ShowPowerState(vmUUID, state string) error {
	if !slices.Contains([]string{wire.PowerOn, wire.PowerOff, "PAUSED", "UNDETERMINED", ""}, state) {
		return fmt.Errorf("showing power state of VM %s: %q is not one of ON, OFF, PAUSED, UNDETERMINED", vmUUID, state)
	}
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		m.V4.Shown = &state
		return nil
	})
}

// LearnAddress adds an address that software in the guest announces on a NIC, such as the virtual IP of kube-vip. If
// nicUUID is empty, the address is added to the first NIC. The address belongs to no pool and is shown while the VM is
// on.
func (c *Control) LearnAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *model.VMDetails, nic string) {
		if v.Announced == nil {
			v.Announced = map[string][]string{}
		}
		v.Announced[nic] = model.AddStrings(v.Announced[nic], []string{address})
	})
}

// ForgetAddress removes an address that LearnAddress has added to a NIC.
func (c *Control) ForgetAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *model.VMDetails, nic string) {
		v.Announced[nic] = model.RemoveStrings(v.Announced[nic], []string{address})
	})
}

// AddSecondaryAddress configures a further IPv4 address for a NIC. If nicUUID is empty, the address is added to the
// first NIC.
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

// ChangeExtID changes the UUID of a VM, as an unplanned failover of a metro cluster does, and returns the new UUID. The
// VM keeps its BIOS UUID, name, NICs and custom attributes, and its guest keeps running. If newUUID is empty, the new
// UUID is random.
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
