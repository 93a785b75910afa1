package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Failover describes how a VM comes back when another Prism Element takes over, as with metro availability and protection
// policies.
type Failover struct {
	// PrismElement is the name of the Prism Element that takes over.
	PrismElement string `json:"prismElement"`
	// UUID is the VM's UUID afterwards. Default: a new one.
	UUID string `json:"uuid,omitempty"`
	// After is how long Prism Central knows no such VM before it comes back.
	After Duration `json:"after,omitempty"`
	// Off leaves the VM off. By default a VM that was on is switched on again.
	Off bool `json:"off,omitempty"`
	// NewDevices gives disks and NICs new UUIDs. By default they keep theirs. NICs keep MAC and IP addresses either way.
	NewDevices bool `json:"newDevices,omitempty"`
}

// FailOver removes a VM and brings it back. The caller holds the mutex.
func (e *Central) FailOver(old *VM, failover Failover) error {
	pe := e.PrismElementByName(failover.PrismElement)
	if pe == nil {
		return fmt.Errorf("there is no Prism Element %q", failover.PrismElement)
	}
	if err := e.FreeUUID(failover.UUID); err != nil {
		return err
	}
	if !old.Exists {
		return errors.New("it is being created")
	}
	on := old.Power == wire.PowerOn && !failover.Off
	e.SwitchOff(old)
	e.VMs.Remove(old)
	recovered := e.recovered(old, pe, failover)
	e.later(time.Duration(failover.After), func() { e.bringBack(recovered, on) })
	return nil
}

// recovered returns a copy of a VM for another Prism Element. Prism Central does not know it yet.
func (e *Central) recovered(old *VM, pe *inventory.PrismElement, failover Failover) *VM {
	now := time.Now().UTC().Truncate(time.Second)
	m := *old
	m.UUID, m.Created, m.Updated = failover.UUID, now, now
	m.Version, m.State, m.Messages, m.Pending, m.Tasks = 0, wire.StateComplete, nil, 0, nil
	m.Categories, m.learned = old.Categories.Clone(), maps.Clone(old.learned)
	m.V4.Announced, m.V4.Secondary = maps.Clone(old.V4.Announced), maps.Clone(old.V4.Secondary)
	m.Live = old.Live.Clone()
	m.MoveTo(e, pe)
	if failover.NewDevices {
		m.renewDevices(e)
	}
	for i := range m.Live.Resources.DiskList {
		adoptDisk(pe, &m.Live.Resources.DiskList[i])
	}
	m.SetPowerState(wire.PowerOff)
	m.Spec = m.Live.Clone()
	return &m
}

// renewDevices gives the disks and NICs of a VM new UUIDs.
func (m *VM) renewDevices(e *Central) {
	for i := range m.Live.Resources.DiskList {
		m.Live.Resources.DiskList[i].UUID = uuid.NewString()
	}
	for i := range m.Live.Resources.NICList {
		n := &m.Live.Resources.NICList[i]
		before := n.UUID
		n.UUID = uuid.NewString()
		for _, addresses := range []map[string][]string{m.learned, m.V4.Announced, m.V4.Secondary} {
			if list, has := addresses[before]; has {
				addresses[n.UUID] = list
				delete(addresses, before)
			}
		}
		for _, subnet := range e.Subnets {
			subnet.V4.Rename(before, n.UUID)
			subnet.V6.Rename(before, n.UUID)
		}
	}
}

// adoptDisk puts a disk into the storage container of the same name, or else into the first one.
func adoptDisk(pe *inventory.PrismElement, d *wire.Disk) {
	if d.StorageConfig == nil || d.StorageConfig.Container.IsEmpty() {
		return
	}
	to := pe.StorageContainers[0]
	if i := slices.IndexFunc(pe.StorageContainers, func(c inventory.StorageContainer) bool { return c.Name == d.StorageConfig.Container.Name }); i >= 0 {
		to = pe.StorageContainers[i]
	}
	d.StorageConfig.Container = &wire.Reference{Kind: "storage_container", Name: to.Name, UUID: to.UUID}
}

// bringBack makes a recovered VM known. A VM that cannot be switched on, for example because the memory is used up, stays off.
func (e *Central) bringBack(m *VM, on bool) {
	e.VMs.Add(m)
	if !on {
		return
	}
	if failed := e.SwitchOn(m); failed != nil {
		m.fail(failed)
		return
	}
	m.SetPowerState(wire.PowerOn)
}

// later runs work under the server's mutex after a duration, or at once when there is none to wait for. It does not run when
// the server closes first. The caller holds the mutex.
func (e *Central) later(after time.Duration, work func()) {
	if after <= 0 {
		work()
		return
	}
	if e.closed {
		return
	}
	e.running.Add(1)
	go func() {
		defer e.running.Done()
		if !fault.Pause(context.Background(), e.stop, after) {
			return
		}
		e.Mu.Lock()
		defer e.Mu.Unlock()
		work()
	}()
}
