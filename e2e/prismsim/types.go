package prismsim

import (
	"github.com/capnt/capnt/e2e/prismsim/control"
	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/journal"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/networking"
)

// Types of Options.
type (
	// Inventory is what a simulated Prism Central manages when it starts.
	Inventory = inventory.Inventory
	// Image is a disk or ISO image.
	Image = inventory.Image
	// Category is a category key with its values.
	Category = inventory.Category
	// Latencies are the durations of tasks.
	Latencies = model.Latencies
	// Hypervisor runs the guests of VMs.
	Hypervisor = model.Hypervisor
	// Rules choose between behaviours of v3 and v4.
	Rules = model.Rules
	// Refusal is the way in which a change is refused.
	Refusal = model.Refusal
	// Duration is a time.Duration that JSON writes as a string such as "1m30s".
	Duration = model.Duration
	// NetworkRules choose between behaviours of the networking API.
	NetworkRules = networking.Rules
)

// Types that a Server returns.
type (
	// State is the response of GET /sim/state.
	State = control.State
	// Request is an entry of the request journal.
	Request = journal.Request
	// VM is a VM as guests and tests see it.
	VM = model.VMView
	// NIC is a network interface of a VM.
	NIC = model.NICView
	// Disk is a disk, a CD-ROM or an attached volume group of a VM.
	Disk = model.DiskView
	// Task is a task as tests see it.
	Task = model.TaskView
	// VolumeGroup is a volume group as tests see it.
	VolumeGroup = model.VolumeGroupView
	// Snapshot has what clients created in a simulated Prism Central.
	Snapshot = model.Snapshot
	// LoadBalancerSession is a load balancer session as tests see it.
	LoadBalancerSession = networking.LoadBalancerSession
	// Target is a target of a load balancer session.
	Target = networking.Target
	// FloatingIP is a floating IP as tests see it.
	FloatingIP = networking.FloatingIP
	// ReservedIP is a reserved address of a subnet.
	ReservedIP = networking.ReservedIP
	// Route is a static route of a VPC.
	Route = networking.Route
)

// Types of changes from outside.
type (
	// Fault changes how matching requests are handled.
	Fault = fault.Fault
	// Fleet describes equal VMs that are created at once.
	Fleet = model.Fleet
	// VMChange is a change of a VM from outside.
	VMChange = model.VMChange
	// Failover describes how a VM is recovered on another Prism Element.
	Failover = model.Failover
	// Rights say which entities are hidden from an account.
	Rights = model.Rights
	// Disconnection configures how the VMs of a disconnected Prism Element are shown.
	Disconnection = model.Disconnection
)

// The ways to refuse a change.
const (
	RefusedByTask    = model.RefusedByTask
	RefusedByRequest = model.RefusedByRequest
	NotRefused       = model.NotRefused
)

// LoadInventory reads an inventory file.
func LoadInventory(path string) (*Inventory, error) { return inventory.Load(path) }

// ParseInventory reads an inventory in YAML. It refuses unknown fields, fills in defaults and checks references.
func ParseInventory(raw []byte) (*Inventory, error) { return inventory.Parse(raw) }

// ParseRules reads rules in JSON, for example {"listLag":"30s"}. It refuses unknown fields.
func ParseRules(text string) (Rules, error) { return model.ParseRules(text) }

// ParseFault reads a fault in the form of the command line, for example "POST /vms$ status=503 times=3".
func ParseFault(text string) (Fault, error) { return fault.Parse(text) }

// ParseSnapshot reads a snapshot in JSON.
func ParseSnapshot(raw []byte) (*Snapshot, error) { return model.ParseSnapshot(raw) }
