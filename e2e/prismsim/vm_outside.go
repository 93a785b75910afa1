package prismsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// PowerOff switches a VM off from outside, without a task.
func (c *control) PowerOff(vmUUID string) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		c.estate.switchOff(m)
		m.setPowerState(powerOff)
		return nil
	})
}

// PowerOn switches a VM on from outside, without a task.
func (c *control) PowerOn(vmUUID string) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		if failed := c.estate.switchOn(m); failed != nil {
			return fmt.Errorf("switching on VM %s: %s", vmUUID, failed.detail)
		}
		m.setPowerState(powerOn)
		return nil
	})
}

// setPowerState writes a power state into what is wanted and what is there.
func (m *machine) setPowerState(state string) {
	m.spec.Resources.PowerState = state
	if m.live.Resources != nil {
		m.live.Resources.PowerState = state
	}
}

// DeleteVM deletes a VM from outside, without a task.
func (c *control) DeleteVM(vmUUID string) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		c.estate.remove(m)
		return nil
	})
}

// changeFromOutside changes a VM without a request and without a task.
func (c *control) changeFromOutside(vmUUID string, change func(*machine) error) error {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	m := c.estate.vmByUUID(vmUUID)
	if m == nil {
		return notFound("vm", "The VM "+vmUUID)
	}
	if err := change(m); err != nil {
		return err
	}
	m.v4.revision++
	return nil
}

// VMChange is what an operator or another program changes of a VM. Fields that are nil leave the VM as it is.
type VMChange struct {
	Name           *string `json:"name,omitempty"`
	Description    *string `json:"description,omitempty"`
	BIOSUUID       *string `json:"biosUUID,omitempty"`
	MemoryMiB      *int64  `json:"memoryMiB,omitempty"`
	Sockets        *int64  `json:"sockets,omitempty"`
	VCPUsPerSocket *int64  `json:"vcpusPerSocket,omitempty"`
	// Categories replaces the values of the keys that it names. No values remove the key from the VM; other keys stay.
	// Categories that do not exist are created.
	Categories map[string][]string `json:"categories,omitempty"`
	// KeepSpecVersion leaves spec_version as it is, as changes through a Prism Element may do. By default the change raises it,
	// as an update by another v3 client does.
	KeepSpecVersion bool `json:"keepSpecVersion,omitempty"`
}

// ChangeVM changes a VM from outside, without a task and whether it is on or off.
func (c *control) ChangeVM(vmUUID string, change VMChange) error {
	return c.changeFromOutside(vmUUID, func(m *machine) error {
		if err := change.check(); err != nil {
			return fmt.Errorf("changing VM %s: %w", vmUUID, err)
		}
		c.estate.applyChange(m, change)
		return nil
	})
}

// applyChange changes a VM. The caller holds the mutex.
func (e *estate) applyChange(m *machine, change VMChange) {
	change.apply(&m.spec)
	if m.live.Resources != nil {
		change.apply(&m.live)
	}
	if change.BIOSUUID != nil {
		m.bios = strings.ToLower(*change.BIOSUUID)
	}
	for _, key := range slices.Sorted(maps.Keys(change.Categories)) {
		values := change.Categories[key]
		if len(values) > 0 {
			e.addCategory(Category{Key: key, Values: values})
		}
		m.categories.set(key, values)
	}
	if !change.KeepSpecVersion {
		m.version++
	}
	m.updated = time.Now().UTC().Truncate(time.Second)
}

func (c VMChange) check() error {
	if c.Name != nil && *c.Name == "" {
		return fmt.Errorf("the name is empty")
	}
	if c.BIOSUUID != nil && !isUUID(strings.ToLower(*c.BIOSUUID)) {
		return fmt.Errorf("BIOS UUID %q is not a UUID", *c.BIOSUUID)
	}
	for name, size := range map[string]*int64{"memoryMiB": c.MemoryMiB, "sockets": c.Sockets, "vcpusPerSocket": c.VCPUsPerSocket} {
		if size != nil && *size < 1 {
			return fmt.Errorf("%s %d is less than 1", name, *size)
		}
	}
	return nil
}

func (c VMChange) apply(spec *vmSpec) {
	spec.Name, spec.Description = valueOr(c.Name, spec.Name), valueOr(c.Description, spec.Description)
	for _, size := range []struct {
		want *int64
		have **int64
	}{
		{c.MemoryMiB, &spec.Resources.MemorySizeMiB},
		{c.Sockets, &spec.Resources.NumSockets},
		{c.VCPUsPerSocket, &spec.Resources.NumVCPUsPerSocket},
	} {
		if size.want != nil {
			*size.have = new(*size.want)
		}
	}
}
