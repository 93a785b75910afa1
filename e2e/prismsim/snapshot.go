package prismsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Snapshot is what clients made in a simulated Prism Central: categories and virtual machines, without their tasks. Restore
// puts it into another server with the same inventory.
type Snapshot struct {
	Categories []Category `json:"categories"`
	VMs        []savedVM  `json:"vms"`
}

// savedVM is a VM of which nothing is changing, so that its spec is also what the hypervisor has.
type savedVM struct {
	UUID         string            `json:"uuid"`
	BIOSUUID     string            `json:"biosUUID"`
	PrismElement string            `json:"prismElement"` // name
	Host         string            `json:"host"`         // name; empty for a VM that is off
	Project      string            `json:"project"`      // UUID
	Categories   map[string]string `json:"categories"`   // the first value of each key
	// CategoryValues has all values of the keys of which there are several.
	CategoryValues map[string][]string `json:"categoryValues,omitempty"`
	SpecVersion    int64               `json:"specVersion"`
	Revision       revision            `json:"revision"`
	Created        time.Time           `json:"created"`
	Updated        time.Time           `json:"updated"`
	Learned        map[string][]string `json:"learned,omitempty"`
	Spec           vmSpec              `json:"spec"`
}

// Snapshot returns what clients made so far. It fails while a VM is being changed, and for VMs with what a snapshot does
// not hold: GPUs, and addresses and attributes that only the v4 API shows.
func (c *control) Snapshot() (*Snapshot, error) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.snapshot()
}

// Restore adds the categories and VMs of a snapshot. VMs that were on are on, and the hypervisor is told so.
func (c *control) Restore(saved *Snapshot) error {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.restore(saved)
}

// snapshot returns a snapshot of the present.
func (e *estate) snapshot() (*Snapshot, error) {
	saved := &Snapshot{VMs: []savedVM{}, Categories: e.exportCategories()}
	for _, m := range e.vms.all {
		vm, err := m.save()
		if err != nil {
			return nil, fmt.Errorf("taking a snapshot of VM %s: %w", m.spec.Name, err)
		}
		saved.VMs = append(saved.VMs, vm)
	}
	return saved, nil
}

func (m *machine) save() (savedVM, error) {
	switch {
	case m.pending > 0 || !m.exists || m.state != stateComplete:
		return savedVM{}, fmt.Errorf("it is in state %s with %d unfinished changes", m.state, m.pending)
	case addressOfFirst(m.live.Resources.DiskList, func(disk) bool { return true }) != "":
		return savedVM{}, errors.New("a snapshot does not hold its volume groups")
	case len(m.gpus) > 0 || len(m.v4.attributes) > 0 || len(m.v4.secondary) > 0 || len(m.v4.announced) > 0 || m.v4.shown != nil:
		return savedVM{}, errors.New("a snapshot does not hold its GPUs, custom attributes or announced addresses")
	}
	saved := savedVM{
		UUID: m.uuid, BIOSUUID: m.bios, PrismElement: m.element.Name, Project: m.project, Categories: m.categories.first(), CategoryValues: m.categories.several(),
		SpecVersion: m.version, Revision: m.v4.revision, Created: m.created, Updated: m.updated, Learned: maps.Clone(m.learned),
		Spec: m.live.clone(),
	}
	if m.host != nil {
		saved.Host = m.host.Name
	}
	return saved, nil
}

// ParseSnapshot reads the JSON form of a snapshot.
func ParseSnapshot(raw []byte) (*Snapshot, error) {
	saved := &Snapshot{}
	if err := json.Unmarshal(raw, saved); err != nil {
		return nil, fmt.Errorf("reading a snapshot of a simulated Prism Central: %w", err)
	}
	return saved, nil
}

// restore adds what a snapshot holds.
func (e *estate) restore(saved *Snapshot) error {
	for _, category := range saved.Categories {
		e.addCategory(category)
	}
	for i := range saved.VMs {
		if err := e.restoreVM(&saved.VMs[i]); err != nil {
			return fmt.Errorf("restoring VM %s: %w", saved.VMs[i].Spec.Name, err)
		}
	}
	return nil
}

// restoreVM adds one VM. The caller holds the mutex.
func (e *estate) restoreVM(saved *savedVM) error {
	element := e.elementByName(saved.PrismElement)
	if e.vmByUUID(saved.UUID) != nil {
		return fmt.Errorf("VM %s exists already", saved.UUID)
	}
	if element == nil || e.projectByUUID(saved.Project) == nil {
		return fmt.Errorf("the inventory lacks Prism Element %q or project %s", saved.PrismElement, saved.Project)
	}
	m := &machine{
		uuid: saved.UUID, bios: saved.BIOSUUID, element: element, project: saved.Project,
		categories: saved.categories(), spec: saved.Spec.clone(), live: saved.Spec.clone(), version: saved.SpecVersion,
		created: saved.Created, updated: saved.Updated, state: stateComplete, exists: true, power: powerOff,
		learned: map[string][]string{}, calls: &callQueue{},
	}
	m.v4.revision = saved.Revision
	maps.Copy(m.learned, saved.Learned)
	for _, n := range m.live.nics() {
		if err := e.claimNIC(n, m.learned[n.UUID]); err != nil {
			return err
		}
	}
	e.vms.add(m)
	if saved.Host == "" {
		return nil
	}
	m.host = find(hostsOf(element), func(h *Host) bool { return h.Name == saved.Host })
	if m.host == nil {
		return fmt.Errorf("the inventory lacks host %q", saved.Host)
	}
	m.power = powerOn
	e.tellOn(m)
	return nil
}

func (saved *savedVM) categories() assignedCategories {
	out := wantedCategories((&metadata{Categories: saved.Categories}))
	for key, values := range saved.CategoryValues {
		out.set(key, values)
	}
	return out
}

func hostsOf(pe *PrismElement) []*Host {
	var hosts []*Host
	for i := range pe.Hosts {
		hosts = append(hosts, &pe.Hosts[i])
	}
	return hosts
}

// claimNIC takes the addresses of a NIC out of the pools of its subnet, and its MAC address out of those that are given out.
func (e *estate) claimNIC(n nic, learned []string) error {
	subnet := e.subnetByUUID(orZero(n.SubnetReference).UUID)
	if subnet == nil {
		return fmt.Errorf("the inventory lacks subnet %s", orZero(n.SubnetReference).UUID)
	}
	addresses := slices.Clone(learned)
	for _, endpoint := range n.IPEndpoints {
		addresses = append(addresses, endpoint.IP)
	}
	for _, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("reading an address of NIC %s: %w", n.UUID, err)
		}
		pool := subnet.v4
		if address.Is6() {
			pool = subnet.v6
		}
		if pool == nil || !pool.claim(address, n.UUID) {
			return fmt.Errorf("subnet %s cannot give address %s again", subnet.Name, text)
		}
	}
	if number, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimPrefix(n.MACAddress, macPrefix), ":", ""), 16, 24); err == nil {
		e.nextMAC = max(e.nextMAC, uint32(number))
	}
	return nil
}
