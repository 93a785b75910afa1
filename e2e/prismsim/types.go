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
	// Inventory contains the initial entities of a simulated Prism Central.
	Inventory = inventory.Inventory
	// Image is a disk or ISO image.
	Image = inventory.Image
	// Category is a category key with its values.
	Category = inventory.Category
	// Latencies contains the durations of tasks.
	Latencies = model.Latencies
	// Hypervisor runs the guests of VMs.
	Hypervisor = model.Hypervisor
	// Rules selects between possible behaviours of the v3 and v4 APIs.
	Rules = model.Rules
	// Refusal determines how the server rejects a change.
	Refusal = model.Refusal
	// Duration is a time.Duration that JSON writes as a string such as "1m30s".
	Duration = model.Duration
	// NetworkRules selects between possible behaviours of the networking API.
	NetworkRules = networking.Rules
)

// Types that a Server returns.
type (
	// State is the response of GET /sim/state.
	State = control.State
	// Request is an entry of the request journal.
	Request = journal.Request
	// VM is a copy of a VM for guests and tests.
	VM = model.VMView
	// NIC is a network interface of a VM.
	NIC = model.NICView
	// Disk is a disk, a CD-ROM or an attached volume group of a VM.
	Disk = model.DiskView
	// Task is a copy of a task for tests.
	Task = model.TaskView
	// VolumeGroup is a copy of a volume group for tests.
	VolumeGroup = model.VolumeGroupView
	// AntiAffinityPolicy is a copy of an anti-affinity policy for tests.
	AntiAffinityPolicy = model.AntiAffinityPolicyView
	// Snapshot contains the entities that clients created in a simulated Prism Central.
	Snapshot = model.Snapshot
	// LoadBalancerSession is a copy of a load balancer session for tests.
	LoadBalancerSession = networking.LoadBalancerSession
	// Target is a target of a load balancer session.
	Target = networking.Target
	// FloatingIP is a copy of a floating IP for tests.
	FloatingIP = networking.FloatingIP
	// ReservedIP is a reserved address of a subnet.
	ReservedIP = networking.ReservedIP
	// Route is a static route of a VPC.
	Route = networking.Route
)

// Types for changes that are made without an API request.
type (
	// Fault changes how the server handles matching requests.
	Fault = fault.Fault
	// Fleet describes identical VMs that are created together.
	Fleet = model.Fleet
	// VMChange is a change of a VM that is made without an API request.
	VMChange = model.VMChange
	// Failover describes the recovery of a VM on another Prism Element.
	Failover = model.Failover
	// Rights determines which entities are hidden from an account.
	Rights = model.Rights
	// Disconnection determines how the server shows the VMs of a disconnected Prism Element.
	Disconnection = model.Disconnection
)

// Supported values of Refusal.
const (
	RefusedByTask    = model.RefusedByTask
	RefusedByRequest = model.RefusedByRequest
	NotRefused       = model.NotRefused
)

// LoadInventory reads an inventory file.
func LoadInventory(path string) (*Inventory, error) { return inventory.Load(path) }

// ParseInventory parses an inventory in YAML. It rejects unknown fields, sets defaults and validates references.
func ParseInventory(raw []byte) (*Inventory, error) { return inventory.Parse(raw) }

// ParseRules parses rules in JSON, for example {"listLag":"30s"}. It rejects unknown fields.
func ParseRules(text string) (Rules, error) { return model.ParseRules(text) }

// ParseFault parses a fault in the format of the command line, for example "POST /vms$ status=503 times=3".
func ParseFault(text string) (Fault, error) { return fault.Parse(text) }

// ParseSnapshot parses a snapshot in JSON.
func ParseSnapshot(raw []byte) (*Snapshot, error) { return model.ParseSnapshot(raw) }
