package prismsim

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// estate is everything that the simulated Prism Central manages, and its tasks, which change it.
type estate struct {
	username   string // of the owner of everything
	latency    Latencies
	hypervisor Hypervisor // nil: nobody is told

	stop    chan struct{}  // closed by close: ends waiting tasks and delays
	running sync.WaitGroup // tasks and calls of the hypervisor

	mu     sync.Mutex // guards everything below
	closed bool

	central   PrismCentral
	ownerUUID string
	started   time.Time

	elements []*PrismElement
	subnets  []*network
	vpcs     []*privateCloud
	images   collection[Image]
	projects []*Project // the first one is the default

	categories collection[categoryKey]
	vms        collection[machine]
	tasks      collection[task]

	volumeGroups collection[volumeGroup]
	nextMAC      uint32

	disconnected map[*PrismElement]Disconnection
	rights       map[string]Rights // by name of the account
	rules        Rules
}

// network is a subnet with its address pools.
type network struct {
	Subnet
	element *PrismElement // nil for overlay subnets
	vpc     *privateCloud // nil for VLANs
	gateway netip.Addr
	v4, v6  *addressPool // nil when it has none
}

// defaultProject is the project of everything that names none.
const defaultProject = "_internal"

func newEstate(inv *Inventory) (*estate, error) {
	e := &estate{
		stop:    make(chan struct{}),
		central: inv.PrismCentral, ownerUUID: deriveUUID("user", "admin"), started: time.Now().UTC().Truncate(time.Second),
		projects: []*Project{{Name: defaultProject, UUID: deriveUUID("project", defaultProject)}},
	}
	for _, pe := range inv.PrismElements {
		e.elements = append(e.elements, new(pe))
	}
	for _, n := range inv.Subnets {
		added, err := e.newNetwork(n)
		if err != nil {
			return nil, fmt.Errorf("adding subnet %q: %w", n.Name, err)
		}
		e.subnets = append(e.subnets, added)
	}
	if err := e.addVPCs(inv.VPCs); err != nil {
		return nil, err
	}
	for _, img := range inv.Images {
		e.addImage(img)
	}
	for _, p := range inv.Projects {
		if p.Name != defaultProject {
			e.projects = append(e.projects, new(p))
		}
	}
	for _, c := range inv.Categories {
		e.addCategory(c)
	}
	for _, pe := range e.elements {
		e.categorise(pe, pe.Categories)
	}
	e.images.predate()
	e.categories.predate()
	for _, key := range e.categories.all {
		key.values.predate()
	}
	return e, nil
}

func (e *estate) newNetwork(n Subnet) (*network, error) {
	added := &network{Subnet: n, element: e.elementByName(n.PrismElement)}
	if n.CIDR != "" {
		prefix, err := netip.ParsePrefix(n.CIDR)
		if err != nil {
			return nil, fmt.Errorf("parsing CIDR: %w", err)
		}
		added.gateway = prefix.Masked().Addr().Next()
		if n.Gateway != "" {
			if added.gateway, err = netip.ParseAddr(n.Gateway); err != nil {
				return nil, fmt.Errorf("parsing gateway: %w", err)
			}
		}
		if added.v4, err = newAddressPool(n.CIDR, n.Pools, added.gateway, lastAddress(prefix)); err != nil {
			return nil, err
		}
	}
	if n.IPv6 != nil {
		pool, err := newAddressPool(n.IPv6.CIDR, n.IPv6.Pools)
		if err != nil {
			return nil, err
		}
		added.v6 = pool
	}
	return added, nil
}

// lastAddress gives the broadcast address of an IPv4 prefix.
func lastAddress(prefix netip.Prefix) netip.Addr {
	raw := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return last
}

func (e *estate) addImage(img Image) *Image {
	if img.Created == nil {
		img.Created = new(e.started)
	}
	e.images.add(&img)
	return &img
}

func (e *estate) elementByName(name string) *PrismElement {
	return find(e.elements, func(pe *PrismElement) bool { return pe.Name == name })
}

func (e *estate) elementByUUID(uuid string) *PrismElement {
	return find(e.elements, func(pe *PrismElement) bool { return pe.UUID == uuid })
}

func (e *estate) subnetByUUID(uuid string) *network {
	return find(e.subnets, func(n *network) bool { return n.UUID == uuid })
}

func (e *estate) imageByUUID(uuid string) *Image {
	return find(e.images.all, func(i *Image) bool { return i.UUID == uuid })
}

func (e *estate) projectByUUID(uuid string) *Project {
	return find(e.projects, func(p *Project) bool { return p.UUID == uuid })
}

func (e *estate) vmByUUID(uuid string) *machine {
	return find(e.vms.all, func(m *machine) bool { return m.uuid == uuid })
}

// containerByUUID gives a storage container of a Prism Element.
func containerByUUID(pe *PrismElement, uuid string) *StorageContainer {
	for i := range pe.StorageContainers {
		if pe.StorageContainers[i].UUID == uuid {
			return &pe.StorageContainers[i]
		}
	}
	return nil
}

// freeUUID returns an error unless a text is a UUID that no VM has.
func (e *estate) freeUUID(uuid string) error {
	if !isUUID(uuid) {
		return fmt.Errorf("%q is not a UUID", uuid)
	}
	if e.vmByUUID(uuid) != nil {
		return fmt.Errorf("UUID %s belongs to another VM", uuid)
	}
	return nil
}

// find gives the first element that fits, or nil.
func find[T any](list []*T, fits func(*T) bool) *T {
	for _, item := range list {
		if fits(item) {
			return item
		}
	}
	return nil
}

// macPrefix begins the MAC addresses of AHV.
const macPrefix = "50:6b:8d:"

// newMAC gives a locally unused address with the prefix of AHV.
func (e *estate) newMAC() string {
	e.nextMAC++
	n := e.nextMAC
	return fmt.Sprintf("%s%02x:%02x:%02x", macPrefix, byte(n>>16), byte(n>>8), byte(n))
}

func (e *estate) owner() *reference {
	return &reference{Kind: "user", Name: e.username, UUID: e.ownerUUID}
}

// close ends waiting tasks and delays. It reports whether this is the first call.
func (e *estate) close() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := !e.closed
	e.closed = true
	if first {
		close(e.stop)
	}
	return first
}
