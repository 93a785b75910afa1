package model

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

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Snapshot contains the categories and virtual machines that clients created in a simulated Prism Central, without
// their tasks. It can be restored in another server with the same inventory.
type Snapshot struct {
	Categories []inventory.Category `json:"categories"`
	VMs        []savedVM            `json:"vms"`
}

// savedVM is a VM without pending changes. Its spec is therefore the same as its state in the hypervisor.
type savedVM struct {
	UUID         string            `json:"uuid"`
	BIOSUUID     string            `json:"biosUUID"`
	PrismElement string            `json:"prismElement"` // name
	Host         string            `json:"host"`         // name; empty for a VM that is off
	Project      string            `json:"project"`      // UUID
	Categories   map[string]string `json:"categories"`   // first value of each key
	// CategoryValues contains, for each key that has several values, all of them.
	CategoryValues map[string][]string `json:"categoryValues,omitempty"`
	SpecVersion    int64               `json:"specVersion"`
	Revision       Revision            `json:"revision"`
	Created        time.Time           `json:"created"`
	Updated        time.Time           `json:"updated"`
	Learned        map[string][]string `json:"learned,omitempty"`
	Further        map[string]any      `json:"further,omitempty"` // properties that only the v4 API has
	Spec           wire.VMSpec         `json:"spec"`
}

// Snapshot returns a snapshot. It fails if the server contains a VM that a snapshot cannot represent. The caller must hold
// the mutex.
func (pc *Central) Snapshot() (*Snapshot, error) {
	saved := &Snapshot{VMs: []savedVM{}, Categories: pc.CategoryViews()}
	for _, m := range pc.VMs.All {
		vm, err := m.save()
		if err != nil {
			return nil, fmt.Errorf("taking a snapshot of VM %s: %w", m.Spec.Name, err)
		}
		saved.VMs = append(saved.VMs, vm)
	}
	return saved, nil
}

func (m *VM) save() (savedVM, error) {
	switch {
	case m.Pending > 0 || !m.Exists || m.State != wire.StateComplete:
		return savedVM{}, fmt.Errorf("it is in state %s with %d unfinished changes", m.State, m.Pending)
	case addressOfFirst(m.Live.Resources.DiskList, func(wire.Disk) bool { return true }) != "":
		return savedVM{}, errors.New("a snapshot does not hold its volume groups")
	case len(m.GPUs) > 0 || len(m.V4.Attributes) > 0 || len(m.V4.Secondary) > 0 || len(m.V4.Announced) > 0 || m.V4.Shown != nil:
		return savedVM{}, errors.New("a snapshot does not hold its GPUs, custom attributes or announced addresses")
	}
	saved := savedVM{
		UUID: m.UUID, BIOSUUID: m.BIOS, PrismElement: m.PrismElement.Name, Project: m.Project, Categories: m.Categories.First(), CategoryValues: m.Categories.several(),
		SpecVersion: m.Version, Revision: m.V4.Revision, Created: m.Created, Updated: m.Updated, Learned: maps.Clone(m.learned),
		Further: maps.Clone(m.V4.Further), Spec: m.Live.Clone(),
	}
	if m.Host != nil {
		saved.Host = m.Host.Name
	}
	return saved, nil
}

// ParseSnapshot parses a snapshot in JSON.
func ParseSnapshot(raw []byte) (*Snapshot, error) {
	saved := &Snapshot{}
	if err := json.Unmarshal(raw, saved); err != nil {
		return nil, fmt.Errorf("reading a snapshot of a simulated Prism Central: %w", err)
	}
	return saved, nil
}

// Restore adds the categories and VMs of a snapshot. The caller must hold the mutex.
func (pc *Central) Restore(saved *Snapshot) error {
	for _, category := range saved.Categories {
		pc.AddCategory(category)
	}
	for i := range saved.VMs {
		if err := pc.restoreVM(&saved.VMs[i]); err != nil {
			return fmt.Errorf("restoring VM %s: %w", saved.VMs[i].Spec.Name, err)
		}
	}
	return nil
}

// restoreVM adds one VM of a snapshot. The caller must hold the mutex.
func (pc *Central) restoreVM(saved *savedVM) error {
	element := pc.PrismElementByName(saved.PrismElement)
	if pc.VMByUUID(saved.UUID) != nil {
		return fmt.Errorf("VM %s exists already", saved.UUID)
	}
	if element == nil || pc.ProjectByUUID(saved.Project) == nil {
		return fmt.Errorf("the inventory lacks Prism Element %q or project %s", saved.PrismElement, saved.Project)
	}
	m := &VM{
		UUID: saved.UUID, BIOS: saved.BIOSUUID, PrismElement: element, Project: saved.Project,
		Categories: saved.categories(), Spec: saved.Spec.Clone(), Live: saved.Spec.Clone(), Version: saved.SpecVersion,
		Created: saved.Created, Updated: saved.Updated, State: wire.StateComplete, Exists: true, Power: wire.PowerOff,
		learned: map[string][]string{}, calls: &callQueue{},
	}
	m.V4.Revision, m.V4.Further = saved.Revision, saved.Further
	maps.Copy(m.learned, saved.Learned)
	for _, n := range m.Live.NICs() {
		if err := pc.claimNIC(n, m.learned[n.UUID]); err != nil {
			return err
		}
	}
	pc.VMs.Add(m)
	if saved.Host == "" {
		return nil
	}
	m.Host = Find(HostsOf(element), func(h *inventory.Host) bool { return h.Name == saved.Host })
	if m.Host == nil {
		return fmt.Errorf("the inventory lacks host %q", saved.Host)
	}
	m.Power = wire.PowerOn
	pc.notifyOn(m)
	return nil
}

func (saved *savedVM) categories() Categories {
	out := wantedCategories((&wire.Metadata{Categories: saved.Categories}))
	for key, values := range saved.CategoryValues {
		out.Set(key, values)
	}
	return out
}

// claimNIC assigns the addresses of a restored NIC to it again. It also reserves the MAC address, so that no other NIC
// gets it.
func (pc *Central) claimNIC(n wire.NIC, learned []string) error {
	subnet := pc.SubnetByUUID(wire.OrZero(n.SubnetReference).UUID)
	if subnet == nil {
		return fmt.Errorf("the inventory lacks subnet %s", wire.OrZero(n.SubnetReference).UUID)
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
		pool := subnet.V4
		if address.Is6() {
			pool = subnet.V6
		}
		if pool == nil || !pool.Claim(address, n.UUID) {
			return fmt.Errorf("subnet %s cannot give address %s again", subnet.Name, text)
		}
	}
	if number, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimPrefix(n.MACAddress, macPrefix), ":", ""), 16, 24); err == nil {
		pc.nextMAC = max(pc.nextMAC, uint32(number))
	}
	return nil
}
