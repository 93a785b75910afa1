package model

import (
	"fmt"
	"sync"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func (e *Central) PrismElementReference(pe *inventory.PrismElement) *wire.Reference {
	if pe == nil {
		return nil
	}
	return &wire.Reference{Kind: "cluster", Name: pe.Name, UUID: pe.UUID}
}

// Central is everything that the simulated Prism Central manages, and its tasks, which change it.
type Central struct {
	Username   string // of the owner of everything
	Latency    Latencies
	hypervisor Hypervisor // nil: nobody is told

	stop    chan struct{}  // closed by close: ends waiting tasks and delays
	running sync.WaitGroup // tasks and calls of the hypervisor

	Mu     sync.Mutex // guards everything below
	closed bool

	PrismCentral inventory.PrismCentral
	OwnerUUID    string
	Started      time.Time

	PrismElements []*inventory.PrismElement
	Subnets       []*Subnet
	VPCs          []*VPC
	Images        Collection[inventory.Image]
	Projects      []*inventory.Project // the first one is the default

	Categories Collection[CategoryKey]
	VMs        Collection[VM]
	Tasks      Collection[Task]

	VolumeGroups Collection[VolumeGroup]
	nextMAC      uint32

	Disconnected map[*inventory.PrismElement]Disconnection
	Rights       map[string]Rights // by name of the account
	Rules        Rules
}

// defaultProject is the project of everything that names none.
const defaultProject = "_internal"

// Settings are what an inventory does not say.
type Settings struct {
	Username   string
	Latency    Latencies
	Hypervisor Hypervisor
	Rules      Rules
}

// New returns a Prism Central with what an inventory says.
func New(inv *inventory.Inventory, s Settings) (*Central, error) {
	e := &Central{
		Username: s.Username, Latency: s.Latency, hypervisor: s.Hypervisor, Rules: s.Rules, stop: make(chan struct{}),
		PrismCentral: inv.PrismCentral, OwnerUUID: inventory.DeriveUUID("user", "admin"), Started: time.Now().UTC().Truncate(time.Second),
		Projects: []*inventory.Project{{Name: defaultProject, UUID: inventory.DeriveUUID("project", defaultProject)}},
	}
	for _, pe := range inv.PrismElements {
		e.PrismElements = append(e.PrismElements, new(pe))
	}
	for _, n := range inv.Subnets {
		added, err := e.newNetwork(n)
		if err != nil {
			return nil, fmt.Errorf("adding subnet %q: %w", n.Name, err)
		}
		e.Subnets = append(e.Subnets, added)
	}
	if err := e.addVPCs(inv.VPCs); err != nil {
		return nil, err
	}
	for _, img := range inv.Images {
		e.AddImage(img)
	}
	for _, p := range inv.Projects {
		if p.Name != defaultProject {
			e.Projects = append(e.Projects, new(p))
		}
	}
	for _, c := range inv.Categories {
		e.AddCategory(c)
	}
	for _, pe := range e.PrismElements {
		e.AssignToPrismElement(pe, pe.Categories)
	}
	e.Images.Predate()
	e.Categories.Predate()
	for _, key := range e.Categories.All {
		key.Values.Predate()
	}
	return e, nil
}

func (e *Central) AddImage(img inventory.Image) *inventory.Image {
	if img.Created == nil {
		img.Created = new(e.Started)
	}
	e.Images.Add(&img)
	return &img
}

// macPrefix begins the MAC addresses of AHV.
const macPrefix = "50:6b:8d:"

// newMAC gives a locally unused address with the prefix of AHV.
func (e *Central) newMAC() string {
	e.nextMAC++
	n := e.nextMAC
	return fmt.Sprintf("%s%02x:%02x:%02x", macPrefix, byte(n>>16), byte(n>>8), byte(n))
}

func (e *Central) Owner() *wire.Reference {
	return &wire.Reference{Kind: "user", Name: e.Username, UUID: e.OwnerUUID}
}

// Close ends waiting tasks and delays. It reports whether this is the first call.
func (e *Central) Close() bool {
	e.Mu.Lock()
	defer e.Mu.Unlock()
	first := !e.closed
	e.closed = true
	if first {
		close(e.stop)
	}
	return first
}

// Latencies are how long the tasks of each operation run.
type Latencies struct {
	Create  time.Duration // creating a VM, without switching it on
	Update  time.Duration // changing a VM, without switching it
	Delete  time.Duration // deleting a VM
	PowerOn time.Duration // added to every task that switches a VM on
	Network time.Duration // creating, changing or deleting anything of the networking API
}

// Stopped returns a channel that is closed when the Prism Central is.
func (e *Central) Stopped() <-chan struct{} { return e.stop }

// Wait returns when all tasks and calls of the hypervisor have ended.
func (e *Central) Wait() { e.running.Wait() }
