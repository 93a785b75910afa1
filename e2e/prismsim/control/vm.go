package control

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// FailOverVM recovers a VM on another Prism Element under a new UUID and returns the new UUID. The VM keeps its name,
// description, BIOS UUID, categories, project, subnets and addresses. The old UUID no longer exists.
func (c *Control) FailOverVM(vmUUID string, failover model.Failover) (string, error) {
	failover.UUID = cmp.Or(failover.UUID, uuid.NewString())
	failover.UUID = strings.ToLower(failover.UUID)
	return failover.UUID, c.changeFromOutside(vmUUID, func(old *model.VM) error {
		if err := c.central.FailOver(old, failover); err != nil {
			return fmt.Errorf("failing over VM %s: %w", vmUUID, err)
		}
		return nil
	})
}

// MigrateVM moves a running VM to another host (name or UUID). The host may be in another Prism Element. The NICs of
// the VM keep their subnets and addresses.
func (c *Control) MigrateVM(vmUUID, host string) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		pe, to := c.central.HostNamed(host)
		switch {
		case to == nil:
			return fmt.Errorf("migrating VM %s: there is no host %q", vmUUID, host)
		case m.Power != wire.PowerOn:
			return fmt.Errorf("migrating VM %s: it is off", vmUUID)
		}
		m.Host = to
		m.MoveTo(c.central, pe)
		return nil
	})
}

// PowerOff switches a VM off directly, without a request and without a task.
func (c *Control) PowerOff(vmUUID string) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		c.central.SwitchOff(m)
		m.SetPowerState(wire.PowerOff)
		return nil
	})
}

// PowerOn switches a VM on directly, without a request and without a task.
func (c *Control) PowerOn(vmUUID string) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		if failed := c.central.SwitchOn(m); failed != nil {
			return fmt.Errorf("switching on VM %s: %s", vmUUID, failed.Detail)
		}
		m.SetPowerState(wire.PowerOn)
		return nil
	})
}

// DeleteVM deletes a VM directly, without a request and without a task.
func (c *Control) DeleteVM(vmUUID string) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		c.central.Remove(m)
		return nil
	})
}

// changeFromOutside changes a VM directly, without a request and without a task.
func (c *Control) changeFromOutside(vmUUID string, change func(*model.VM) error) error {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	m := c.central.VMByUUID(vmUUID)
	if m == nil {
		return wire.NotFound("vm", "The VM "+vmUUID)
	}
	if err := change(m); err != nil {
		return err
	}
	m.V4.Revision++
	return nil
}

// ChangeVM changes a VM directly, without a request and without a task. The VM may be on or off.
func (c *Control) ChangeVM(vmUUID string, change model.VMChange) error {
	return c.changeFromOutside(vmUUID, func(m *model.VM) error {
		if err := change.Check(); err != nil {
			return fmt.Errorf("changing VM %s: %w", vmUUID, err)
		}
		c.central.ApplyChange(m, change)
		return nil
	})
}
