package nutanix

import (
	"context"
	"slices"
	"strings"

	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
	"k8s.io/utils/ptr"
)

const vmPath = "/ahv/config/vms"

func vmKey(vm *vmm.Vm) string { return lower(vm.ExtId) }

// lower gives UUIDs in the only way in which this package shows them.
func lower(text *string) string { return strings.ToLower(ptr.Deref(text, "")) }

// VM implements VMs.
func (c *Client) VM(ctx context.Context, uuid string) (VM, error) {
	const operation = "VM"
	id, err := segment(operation, uuid)
	if err != nil {
		return VM{}, err
	}
	vm, _, err := getOne(ctx, c, getting[vmm.Vm]{
		operation: operation, namespace: namespaceVMM, path: vmPath + "/" + id, key: vmKey, uuid: uuid,
	})
	if err != nil {
		return VM{}, err
	}
	return vmOf(vm), nil
}

// ListVMs implements VMs.
func (c *Client) ListVMs(ctx context.Context, filter VMFilter) ([]VM, error) {
	return listAll(ctx, c, listing[vmm.Vm, VM]{
		operation: "ListVMs", namespace: namespaceVMM, path: vmPath, key: vmKey, item: vmOf, keep: filter.keeps,
		where: []condition{
			equals("name", filter.Name), equals("biosUuid", strings.ToLower(filter.BIOSUUID)),
			anyOf("categories", "extId", strings.ToLower(filter.CategoryUUID)),
		},
	})
}

func (f VMFilter) keeps(vm *VM) bool {
	return (f.Name == "" || vm.Name == f.Name) && (f.BIOSUUID == "" || strings.EqualFold(vm.BIOSUUID, f.BIOSUUID)) &&
		(f.CategoryUUID == "" || slices.Contains(vm.CategoryUUIDs, strings.ToLower(f.CategoryUUID)))
}

func vmOf(in *vmm.Vm) VM {
	out := VM{
		UUID: lower(in.ExtId), Name: ptr.Deref(in.Name, ""), BIOSUUID: lower(in.BiosUuid), PowerState: powerStateOf(in.PowerState),
		CustomAttributes: in.CustomAttributes, MemoryBytes: ptr.Deref(in.MemorySizeBytes, 0),
		Sockets: ptr.Deref(in.NumSockets, 0), CoresPerSocket: ptr.Deref(in.NumCoresPerSocket, 0), ThreadsPerCore: ptr.Deref(in.NumThreadsPerCore, 0),
	}
	if in.Cluster != nil {
		out.PrismElementUUID = lower(in.Cluster.ExtId)
	}
	if in.Host != nil {
		out.HostUUID = lower(in.Host.ExtId)
	}
	for _, category := range in.Categories {
		out.CategoryUUIDs = append(out.CategoryUUIDs, lower(category.ExtId))
	}
	for i := range in.Nics {
		out.NICs = append(out.NICs, nicOf(&in.Nics[i]))
	}
	return out
}

// powerStateOf leaves out what is not a state of a machine: the vendor's $UNKNOWN, for a state that it does not know, and
// $REDACTED.
func powerStateOf(state *vmm.PowerState) PowerState {
	switch ptr.Deref(state, vmm.POWERSTATE_UNKNOWN) {
	case vmm.POWERSTATE_ON:
		return PowerOn
	case vmm.POWERSTATE_OFF:
		return PowerOff
	case vmm.POWERSTATE_PAUSED:
		return PowerPaused
	case vmm.POWERSTATE_UNDETERMINED:
		return PowerUndetermined
	}
	return ""
}
