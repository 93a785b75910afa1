// Package model contains the entities of a simulated Prism Central and the tasks that change them. Other packages
// implement the APIs.
package model

import (
	"fmt"
	"sync"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// PrismElementReference returns a reference to a Prism Element, or nil if pe is nil.
func (pc *Central) PrismElementReference(pe *inventory.PrismElement) *wire.Reference {
	if pe == nil {
		return nil
	}
	return &wire.Reference{Kind: "cluster", Name: pe.Name, UUID: pe.UUID}
}

// Central is a simulated Prism Central without its APIs. It contains the entities and the tasks that change them.
type Central struct {
	Username   string // name of the owner of all entities
	Latency    Latencies
	hypervisor Hypervisor // may be nil

	stop    chan struct{}  // closed by Close; ends pending tasks and delays
	running sync.WaitGroup // running tasks and hypervisor calls

	Mu     sync.Mutex // protects all fields below
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
	Policies     Collection[AntiAffinityPolicy]
	nextMAC      uint32

	Disconnected map[*inventory.PrismElement]Disconnection
	Rights       map[string]Rights // by name of the account
	Rules        Rules
}

// defaultProject is the project of a VM if its create request specifies no project.
const defaultProject = "_internal"

// Settings contains the options of a Central.
type Settings struct {
	Username   string
	Latency    Latencies
	Hypervisor Hypervisor
	Rules      Rules
}

// New returns a Central with the entities of the inventory inv.
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

// AddImage adds an image.
func (pc *Central) AddImage(img inventory.Image) *inventory.Image {
	if img.Created == nil {
		img.Created = new(pc.Started)
	}
	pc.Images.Add(&img)
	return &img
}

// macPrefix is the start of the MAC addresses of AHV.
const macPrefix = "50:6b:8d:"

// newMAC returns a MAC address that no NIC uses.
func (pc *Central) newMAC() string {
	pc.nextMAC++
	n := pc.nextMAC
	return fmt.Sprintf("%s%02x:%02x:%02x", macPrefix, byte(n>>16), byte(n>>8), byte(n))
}

// Owner returns a reference to the user that owns all entities.
func (pc *Central) Owner() *wire.Reference {
	return &wire.Reference{Kind: "user", Name: pc.Username, UUID: pc.OwnerUUID}
}

// Close ends pending tasks and delays. It returns false if Close was called before.
func (pc *Central) Close() bool {
	pc.Mu.Lock()
	defer pc.Mu.Unlock()
	first := !pc.closed
	pc.closed = true
	if first {
		close(pc.stop)
	}
	return first
}

// Latencies contains the durations of tasks.
type Latencies struct {
	Create  time.Duration // creation of a VM without switching it on
	Update  time.Duration // change of a VM without switching it on
	Delete  time.Duration // deletion of a VM
	PowerOn time.Duration // additional duration of tasks that switch a VM on
	Network time.Duration // creation, change or deletion of an entity of the networking API
}

// Stopped returns a channel that Close closes.
func (pc *Central) Stopped() <-chan struct{} { return pc.stop }

// Wait returns when all tasks and hypervisor calls have ended.
func (pc *Central) Wait() { pc.running.Wait() }
