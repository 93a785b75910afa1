package prismsim

import (
	"github.com/capnt/capnt/e2e/prismsim/control"
	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/journal"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/networking"
)

// What a Server is made of.
type (
	Inventory    = inventory.Inventory
	Image        = inventory.Image
	Category     = inventory.Category
	Latencies    = model.Latencies
	Hypervisor   = model.Hypervisor
	Rules        = model.Rules
	Refusal      = model.Refusal
	Duration     = model.Duration
	NetworkRules = networking.Rules
)

// What a Server shows to tests.
type (
	State               = control.State
	Request             = journal.Request
	VM                  = model.VMView
	NIC                 = model.NICView
	Disk                = model.DiskView
	Task                = model.TaskView
	VolumeGroup         = model.VolumeGroupView
	Snapshot            = model.Snapshot
	LoadBalancerSession = networking.LoadBalancerSession
	Target              = networking.Target
	FloatingIP          = networking.FloatingIP
	ReservedIP          = networking.ReservedIP
	Route               = networking.Route
)

// What tests do to a Server.
type (
	Fault         = fault.Fault
	Fleet         = model.Fleet
	VMChange      = model.VMChange
	Failover      = model.Failover
	Rights        = model.Rights
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
