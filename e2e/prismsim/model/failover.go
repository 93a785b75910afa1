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

// Failover describes the recovery of a VM on another Prism Element, as with metro availability or a protection policy.
type Failover struct {
	// PrismElement is the name of the Prism Element on which the VM is recovered.
	PrismElement string `json:"prismElement"`
	// UUID is the new UUID of the VM. The default is a random UUID.
	UUID string `json:"uuid,omitempty"`
	// After is the time for which the VM does not exist.
	After Duration `json:"after,omitempty"`
	// Off leaves the VM off. By default a VM that was on is switched on again.
	Off bool `json:"off,omitempty"`
	// NewDevices assigns new UUIDs to disks and NICs. By default they keep their UUIDs. NICs always keep their MAC and
	// IP addresses.
	NewDevices bool `json:"newDevices,omitempty"`
}

// FailOver removes a VM and adds it again on another Prism Element. The caller must hold the mutex.
func (pc *Central) FailOver(old *VM, failover Failover) error {
	pe := pc.PrismElementByName(failover.PrismElement)
	if pe == nil {
		return fmt.Errorf("there is no Prism Element %q", failover.PrismElement)
	}
	if err := pc.FreeUUID(failover.UUID); err != nil {
		return err
	}
	if !old.Exists {
		return errors.New("it is being created")
	}
	on := old.Power == wire.PowerOn && !failover.Off
	pc.SwitchOff(old)
	pc.VMs.Remove(old)
	recovered := pc.recovered(old, pe, failover)
	pc.runAfter(time.Duration(failover.After), func() { pc.addRecovered(recovered, on) })
	return nil
}

// recovered returns a copy of the VM old for the Prism Element pe. It does not add the copy to the collection.
func (pc *Central) recovered(old *VM, pe *inventory.PrismElement, failover Failover) *VM {
	now := time.Now().UTC().Truncate(time.Second)
	m := *old
	m.UUID, m.Created, m.Updated = failover.UUID, now, now
	m.Version, m.State, m.Messages, m.Pending, m.Tasks = 0, wire.StateComplete, nil, 0, nil
	m.Categories, m.learned = old.Categories.Clone(), maps.Clone(old.learned)
	m.V4.Announced, m.V4.Secondary = maps.Clone(old.V4.Announced), maps.Clone(old.V4.Secondary)
	m.Live = old.Live.Clone()
	m.MoveTo(pc, pe)
	if failover.NewDevices {
		m.renewDevices(pc)
	}
	for i := range m.Live.Resources.DiskList {
		adoptDisk(pe, &m.Live.Resources.DiskList[i])
	}
	m.SetPowerState(wire.PowerOff)
	m.Spec = m.Live.Clone()
	return &m
}

// renewDevices assigns new UUIDs to the disks and NICs of a VM.
func (m *VM) renewDevices(pc *Central) {
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
		for _, subnet := range pc.Subnets {
			subnet.V4.Rename(before, n.UUID)
			subnet.V6.Rename(before, n.UUID)
		}
	}
}

// adoptDisk moves a disk to the storage container with the same name on the Prism Element pe. If there is no such
// container, the disk moves to the first container of pe.
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

// addRecovered adds a recovered VM. If the VM cannot be switched on, for example because there is not enough memory, it
// stays off.
func (pc *Central) addRecovered(m *VM, on bool) {
	pc.VMs.Add(m)
	if !on {
		return
	}
	if failed := pc.SwitchOn(m); failed != nil {
		m.fail(failed)
		return
	}
	m.SetPowerState(wire.PowerOn)
}

// runAfter calls work with the mutex held after a duration, or immediately if the duration is 0. It does not call work
// if the server closes first. The caller must hold the mutex.
func (pc *Central) runAfter(after time.Duration, work func()) {
	if after <= 0 {
		work()
		return
	}
	if pc.closed {
		return
	}
	pc.running.Add(1)
	go func() {
		defer pc.running.Done()
		if !fault.Pause(context.Background(), pc.stop, after) {
			return
		}
		pc.Mu.Lock()
		defer pc.Mu.Unlock()
		work()
	}()
}
