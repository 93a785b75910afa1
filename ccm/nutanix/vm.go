package nutanix

import (
	"context"
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/prismv4"
)

const vmPath = "/ahv/config/vms"

// vmModel is what is read of a virtual machine. Nothing else is read as often, and decoding the vendor's model of it, of which
// this is a part, takes twenty times the memory.
type vmModel struct {
	reference
	Name              string      `json:"name"`
	BIOSUUID          string      `json:"biosUuid"`
	PowerState        PowerState  `json:"powerState"`
	CustomAttributes  []string    `json:"customAttributes"`
	Cluster           reference   `json:"cluster"`
	Host              reference   `json:"host"`
	NumSockets        int         `json:"numSockets"`
	NumCoresPerSocket int         `json:"numCoresPerSocket"`
	NumThreadsPerCore int         `json:"numThreadsPerCore"`
	MemorySizeBytes   int64       `json:"memorySizeBytes"`
	Categories        []reference `json:"categories"`
	NICs              []nicModel  `json:"nics"`
}

// reference is something with a UUID.
type reference struct {
	ExtID string `json:"extId"`
}

func (r *reference) uuid() string { return strings.ToLower(r.ExtID) }

// VM implements VMs.
func (c *Client) VM(ctx context.Context, uuid string) (VM, error) {
	const operation = "VM"
	id, err := prismv4.Segment(operation, uuid)
	if err != nil {
		return VM{}, err
	}
	vm, _, err := prismv4.Get(ctx, c.prism, prismv4.Object[vmModel]{
		Operation: operation, Namespace: prismv4.VMM, Path: vmPath + "/" + id, Key: (*vmModel).uuid, UUID: uuid,
	})
	if err != nil {
		return VM{}, err
	}
	return vmOf(vm), nil
}

// ListVMs implements VMs.
func (c *Client) ListVMs(ctx context.Context, filter VMFilter) ([]VM, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[vmModel, VM]{
		Operation: "ListVMs", Namespace: prismv4.VMM, Path: vmPath, Key: (*vmModel).uuid, Item: vmOf, Keep: filter.keeps,
		Where: []prismv4.Condition{
			prismv4.Equals("name", filter.Name), prismv4.Equals("biosUuid", strings.ToLower(filter.BIOSUUID)),
			prismv4.AnyOf("categories", "extId", strings.ToLower(filter.CategoryUUID)),
		},
	})
}

func (f VMFilter) keeps(vm *VM) bool {
	return (f.Name == "" || vm.Name == f.Name) && (f.BIOSUUID == "" || strings.EqualFold(vm.BIOSUUID, f.BIOSUUID)) &&
		(f.CategoryUUID == "" || slices.Contains(vm.CategoryUUIDs, strings.ToLower(f.CategoryUUID)))
}

func vmOf(in *vmModel) VM {
	out := VM{
		UUID: in.uuid(), Name: in.Name, BIOSUUID: strings.ToLower(in.BIOSUUID), PowerState: in.PowerState.known(),
		CustomAttributes: in.CustomAttributes, MemoryBytes: in.MemorySizeBytes,
		Sockets: in.NumSockets, CoresPerSocket: in.NumCoresPerSocket, ThreadsPerCore: in.NumThreadsPerCore,
		PrismElementUUID: in.Cluster.uuid(), HostUUID: in.Host.uuid(),
	}
	for _, category := range in.Categories {
		out.CategoryUUIDs = append(out.CategoryUUIDs, category.uuid())
	}
	for i := range in.NICs {
		out.NICs = append(out.NICs, nicOf(&in.NICs[i]))
	}
	return out
}

// known leaves out what is not a state of a machine: one that Prism Central made up since, and the vendor's $UNKNOWN and
// $REDACTED.
func (s PowerState) known() PowerState {
	switch s {
	case PowerOn, PowerOff, PowerPaused, PowerUndetermined:
		return s
	}
	return ""
}
