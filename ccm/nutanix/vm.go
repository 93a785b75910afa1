package nutanix

import (
	"context"
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/prismv4"
	"github.com/capnt/capnt/internal/prismv4/vmm"
)

// VM implements VMs.
func (c *Client) VM(ctx context.Context, uuid string) (VM, error) {
	const operation = "VM"
	id, err := prismv4.Segment(operation, uuid)
	if err != nil {
		return VM{}, err
	}
	vm, _, err := prismv4.Get(ctx, c.prism, prismv4.Object[vmm.VM]{
		Operation: operation, Namespace: prismv4.VMM, Path: vmm.Path + "/" + id, Key: (*vmm.VM).UUID, UUID: uuid,
	})
	if err != nil {
		return VM{}, err
	}
	return vmOf(vm), nil
}

// ListVMs implements VMs.
func (c *Client) ListVMs(ctx context.Context, filter VMFilter) ([]VM, error) {
	return prismv4.List(ctx, c.prism, prismv4.Listing[vmm.VM, VM]{
		Operation: "ListVMs", Namespace: prismv4.VMM, Path: vmm.Path, Key: (*vmm.VM).UUID, Item: vmOf, Keep: filter.keeps,
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

func vmOf(in *vmm.VM) VM {
	out := VM{
		UUID: in.UUID(), Name: in.Name, BIOSUUID: strings.ToLower(in.BIOSUUID), PowerState: PowerState(in.PowerState).known(),
		CustomAttributes: in.CustomAttributes, MemoryBytes: in.MemorySizeBytes,
		Sockets: in.NumSockets, CoresPerSocket: in.NumCoresPerSocket, ThreadsPerCore: in.NumThreadsPerCore,
		PrismElementUUID: in.Cluster.UUID(), HostUUID: in.Host.UUID(), CategoryUUIDs: in.CategoryUUIDs(),
	}
	for i := range in.NICs {
		nic := &in.NICs[i]
		primary, secondary := nic.Configured()
		out.NICs = append(out.NICs, NIC{UUID: nic.UUID(), SubnetUUID: nic.SubnetUUID(), Primary: primary, Secondary: secondary, Learned: nic.Learned()})
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
