package prismsim

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// MigrateVM moves a VM that is on to another host, named by name or UUID, also to one of another Prism Element. Its NICs keep
// their subnets and addresses.
func (c *control) MigrateVM(vmUUID, host string) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		pe, to := c.estate.hostNamed(host)
		switch {
		case to == nil:
			return fmt.Errorf("migrating VM %s: there is no host %q", vmUUID, host)
		case m.power != powerOn:
			return fmt.Errorf("migrating VM %s: it is off", vmUUID)
		}
		m.host = to
		m.moveTo(c.estate, pe)
		return nil
	})
}

// moveTo makes a VM belong to a Prism Element.
func (m *machine) moveTo(e *estate, pe *PrismElement) {
	m.element = pe
	m.spec.ClusterReference = e.elementReference(pe)
	if m.live.Resources != nil {
		m.live.ClusterReference = e.elementReference(pe)
	}
}

func (e *estate) hostNamed(name string) (*PrismElement, *Host) {
	for _, pe := range e.elements {
		for i := range pe.Hosts {
			if host := &pe.Hosts[i]; host.Name == name || host.UUID == name {
				return pe, host
			}
		}
	}
	return nil, nil
}

// SetCustomAttributes replaces the custom attributes ("key:value") of a VM.
func (c *control) SetCustomAttributes(vmUUID string, attributes ...string) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		m.v4.attributes = slices.Clone(attributes)
		return nil
	})
}

// ShowPowerState makes the v4 API show a power state until the VM is switched: ON, OFF, PAUSED, UNDETERMINED, or none at all
// for "". The VM itself does not change.
func (c *control) ShowPowerState(vmUUID, state string) error {
	if !slices.Contains([]string{powerOn, powerOff, "PAUSED", "UNDETERMINED", ""}, state) {
		return fmt.Errorf("showing power state of VM %s: %q is not one of ON, OFF, PAUSED, UNDETERMINED", vmUUID, state)
	}
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		m.v4.shown = &state
		return nil
	})
}

// LearnAddress lets the hypervisor see an address on a NIC that something in the guest announces, such as the virtual IP of
// kube-vip. An empty NIC means the first one. The address belongs to no pool, and shows while the VM is on.
func (c *control) LearnAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *v4Machine, nic string) {
		if v.announced == nil {
			v.announced = map[string][]string{}
		}
		v.announced[nic] = addAttributes(v.announced[nic], []string{address})
	})
}

// ForgetAddress takes back what LearnAddress did.
func (c *control) ForgetAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *v4Machine, nic string) {
		v.announced[nic] = removeAttributes(v.announced[nic], []string{address})
	})
}

// AddSecondaryAddress configures a further IPv4 address of a NIC; an empty NIC means the first one.
func (c *control) AddSecondaryAddress(vmUUID, nicUUID, address string) error {
	return c.changeAddresses(vmUUID, nicUUID, address, func(v *v4Machine, nic string) {
		if v.secondary == nil {
			v.secondary = map[string][]string{}
		}
		v.secondary[nic] = addAttributes(v.secondary[nic], []string{address})
	})
}

func (c *control) changeAddresses(vmUUID, nicUUID, address string, change func(v *v4Machine, nic string)) error {
	if _, err := netip.ParseAddr(address); err != nil {
		return fmt.Errorf("changing addresses of VM %s: %w", vmUUID, err)
	}
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		for _, n := range m.current().nics() {
			if nicUUID == "" || n.UUID == nicUUID {
				change(&m.v4, n.UUID)
				return nil
			}
		}
		return fmt.Errorf("changing addresses of VM %s: it has no NIC %q", vmUUID, nicUUID)
	})
}

// ChangeExtID gives a VM another ID, as an unplanned failover of a metro cluster does; its BIOS UUID, name, NICs and custom
// attributes stay, and its guest runs on. An empty ID means a new one. It gives the ID that the VM has now.
func (c *control) ChangeExtID(vmUUID, newUUID string) (string, error) {
	newUUID = cmp.Or(newUUID, uuid.NewString())
	newUUID = strings.ToLower(newUUID)
	return newUUID, c.changeFromOutside(vmUUID, func(m *machine) error {
		if err := c.estate.freeUUID(newUUID); err != nil {
			return fmt.Errorf("changing ID of VM %s: %w", vmUUID, err)
		}
		m.uuid = newUUID
		return nil
	})
}

// SetPrismElementCategories replaces the categories of a Prism Element, named by name: key to values. Those that do not exist
// are made.
func (c *control) SetPrismElementCategories(name string, categories map[string][]string) error {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	pe := c.estate.elementByName(name)
	if pe == nil {
		return notFound("cluster", "The cluster "+name)
	}
	c.estate.categorise(pe, categories)
	return nil
}

// categorise assigns categories to a Prism Element and makes those that are missing, in the order of their keys.
func (e *estate) categorise(pe *PrismElement, categories map[string][]string) {
	for _, key := range slices.Sorted(maps.Keys(categories)) {
		e.addCategory(Category{Key: key, Values: categories[key]})
	}
	pe.Categories = maps.Clone(categories)
}

// CategoryID gives the ID of a category in the v4 API.
func (c *control) CategoryID(key, value string) (string, error) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	if v := c.estate.category(key).value(value); v != nil {
		return v.uuid, nil
	}
	return "", fmt.Errorf("finding category %s:%s: there is none", key, value)
}
