package prismsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
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

// FailOverVM lets a VM come back on another Prism Element under a new UUID, which it returns. Name, description, BIOS UUID,
// categories, project, subnets and addresses stay. The old UUID is not found any more.
func (c *control) FailOverVM(vmUUID string, failover Failover) (string, error) {
	failover.UUID = cmp.Or(failover.UUID, uuid.NewString())
	failover.UUID = strings.ToLower(failover.UUID)
	return failover.UUID, c.changeFromOutside(vmUUID, func(old *machine) error {
		if err := c.estate.failOver(old, failover); err != nil {
			return fmt.Errorf("failing over VM %s: %w", vmUUID, err)
		}
		return nil
	})
}

// failOver removes a VM and brings it back. The caller holds the mutex.
func (e *estate) failOver(old *machine, failover Failover) error {
	pe := e.elementByName(failover.PrismElement)
	if pe == nil {
		return fmt.Errorf("there is no Prism Element %q", failover.PrismElement)
	}
	if err := e.freeUUID(failover.UUID); err != nil {
		return err
	}
	if !old.exists {
		return errors.New("it is being created")
	}
	on := old.power == powerOn && !failover.Off
	e.switchOff(old)
	e.vms.remove(old)
	recovered := e.recovered(old, pe, failover)
	e.later(time.Duration(failover.After), func() { e.bringBack(recovered, on) })
	return nil
}

// recovered returns a copy of a VM for another Prism Element. Prism Central does not know it yet.
func (e *estate) recovered(old *machine, pe *PrismElement, failover Failover) *machine {
	now := time.Now().UTC().Truncate(time.Second)
	m := *old
	m.uuid, m.created, m.updated = failover.UUID, now, now
	m.version, m.state, m.messages, m.pending, m.tasks = 0, stateComplete, nil, 0, nil
	m.categories, m.learned = old.categories.clone(), maps.Clone(old.learned)
	m.v4.announced, m.v4.secondary = maps.Clone(old.v4.announced), maps.Clone(old.v4.secondary)
	m.live = old.live.clone()
	m.moveTo(e, pe)
	if failover.NewDevices {
		m.renewDevices(e)
	}
	for i := range m.live.Resources.DiskList {
		adoptDisk(pe, &m.live.Resources.DiskList[i])
	}
	m.setPowerState(powerOff)
	m.spec = m.live.clone()
	return &m
}

// renewDevices gives the disks and NICs of a VM new UUIDs.
func (m *machine) renewDevices(e *estate) {
	for i := range m.live.Resources.DiskList {
		m.live.Resources.DiskList[i].UUID = uuid.NewString()
	}
	for i := range m.live.Resources.NICList {
		n := &m.live.Resources.NICList[i]
		before := n.UUID
		n.UUID = uuid.NewString()
		for _, addresses := range []map[string][]string{m.learned, m.v4.announced, m.v4.secondary} {
			if list, has := addresses[before]; has {
				addresses[n.UUID] = list
				delete(addresses, before)
			}
		}
		for _, subnet := range e.subnets {
			subnet.v4.rename(before, n.UUID)
			subnet.v6.rename(before, n.UUID)
		}
	}
}

// adoptDisk puts a disk into the storage container of the same name, or else into the first one.
func adoptDisk(pe *PrismElement, d *disk) {
	if d.StorageConfig == nil || d.StorageConfig.Container.isEmpty() {
		return
	}
	to := pe.StorageContainers[0]
	if i := slices.IndexFunc(pe.StorageContainers, func(c StorageContainer) bool { return c.Name == d.StorageConfig.Container.Name }); i >= 0 {
		to = pe.StorageContainers[i]
	}
	d.StorageConfig.Container = &reference{Kind: "storage_container", Name: to.Name, UUID: to.UUID}
}

// bringBack makes a recovered VM known. A VM that cannot be switched on, for example because the memory is used up, stays off.
func (e *estate) bringBack(m *machine, on bool) {
	e.vms.add(m)
	if !on {
		return
	}
	if failed := e.switchOn(m); failed != nil {
		m.fail(failed)
		return
	}
	m.setPowerState(powerOn)
}

// later runs work under the server's mutex after a duration, or at once when there is none to wait for. It does not run when
// the server closes first. The caller holds the mutex.
func (e *estate) later(after time.Duration, work func()) {
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
		if !pause(context.Background(), e.stop, after) {
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		work()
	}()
}
