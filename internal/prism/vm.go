package prism

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// KindVM is the name of the kind VM in errors.
const KindVM = "VM"

// VM contains the fields of a virtual machine that the controllers need.
type VM struct {
	UUID, Name, Description string
	// PowerState is ON, OFF, PAUSED or SUSPENDED. State is COMPLETE, PENDING, ERROR, DELETE_PENDING or another intermediate state.
	PowerState, State string
	// Categories maps each key to one of its values.
	Categories map[string]string
	// CategoryValues maps each key to all of its values, sorted. A VM can have several values for one key.
	CategoryValues map[string][]string
	// Addresses are the IP addresses in the order of the network interfaces, without duplicates.
	Addresses []string
	// PrismElement is the UUID of the Prism Element that runs the VM.
	PrismElement string
	// Digest is the SHA-256 of everything in the VM that Terraform manages, in hex: its spec, its resources, its categories and its state. It
	// changes if one of these changes, and the list of VMs and the VM itself result in the same digest.
	Digest string
}

type vmResources struct {
	vmStatus
	raw json.RawMessage
}

func (r *vmResources) UnmarshalJSON(data []byte) error {
	r.raw = slices.Clone(data)
	return json.Unmarshal(data, &r.vmStatus)
}

type vmStatus struct {
	PowerState string `json:"power_state"`
	NICList    []struct {
		IPEndpointList []struct {
			IP string `json:"ip"`
		} `json:"ip_endpoint_list"`
	} `json:"nic_list"`
}

func vmOf(vm intent[vmResources]) VM {
	description := vm.Status.Description
	if description == "" {
		description = vm.Spec.Description
	}
	return VM{
		UUID:           strings.ToLower(vm.Metadata.UUID),
		Name:           vm.name(),
		Description:    description,
		PowerState:     vm.Status.Resources.PowerState,
		State:          vm.Status.State,
		Categories:     vm.Metadata.Categories,
		CategoryValues: categoryValues(vm.Metadata.Categories, vm.Metadata.CategoriesMapping),
		Addresses:      addresses(vm.Status.Resources),
		PrismElement:   strings.ToLower(vm.Status.ClusterReference.UUID),
		Digest:         digestOf(vm),
	}
}

// digestOf returns VM.Digest. The resources in the status do not include the host, because a live migration changes only the host.
func digestOf(vm intent[vmResources]) string {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, part := range []any{
		generic(vm.Spec.raw), generic(vm.Status.Resources.raw, "host_reference"), vm.Status.State, vm.Status.ClusterReference.UUID,
		categoryValues(vm.Metadata.Categories, vm.Metadata.CategoriesMapping),
	} {
		_ = encoder.Encode(part) // values that come from JSON can be encoded, and a hash accepts every write
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// generic decodes a JSON object without the given keys. The order of the keys has no effect on the result.
func generic(raw json.RawMessage, without ...string) map[string]any {
	object := map[string]any{}
	_ = json.Unmarshal(raw, &object) // raw is empty or valid
	for _, key := range without {
		delete(object, key)
	}
	return object
}

// categoryValues merges the two formats in which the v3 API returns the categories of an entity. single contains one value for each key,
// mapping contains all values.
func categoryValues(single map[string]string, mapping map[string][]string) map[string][]string {
	values := make(map[string][]string, len(mapping))
	for key, list := range mapping {
		values[key] = slices.Clone(list)
	}
	for key, value := range single {
		values[key] = append(values[key], value)
	}
	for key, list := range values {
		slices.Sort(list)
		values[key] = slices.Compact(list)
	}
	return values
}

func addresses(resources vmResources) []string {
	var found []string
	for _, nic := range resources.NICList {
		for _, endpoint := range nic.IPEndpointList {
			if endpoint.IP != "" && !slices.Contains(found, endpoint.IP) {
				found = append(found, endpoint.IP)
			}
		}
	}
	return found
}

// VM returns the VM with the UUID uuid, or a *NotFoundError.
func (c *Client) VM(ctx context.Context, uuid string) (*VM, error) {
	if uuid == "" {
		return nil, &InvalidError{Field: "vmUUID", Reason: "it is empty"}
	}
	var found intent[vmResources]
	if err := c.get(ctx, &found, "vms", strings.ToLower(uuid)); err != nil {
		return nil, notFound(err, KindVM, fmt.Sprintf("uuid %q", uuid))
	}
	vm := vmOf(found)
	return &vm, nil
}

// VMsOfCategory returns all VMs with the category key and value, sorted by UUID. The result is empty if no VM has them.
// VMsOfCategory reads the list of all VMs, because filters by category are not documented.
func (c *Client) VMsOfCategory(ctx context.Context, key, value string) ([]VM, error) {
	if key == "" || value == "" {
		return nil, &InvalidError{Field: "categories", Reason: "key and value have to be set"}
	}
	listed, err := list[intent[vmResources]](ctx, c, "vm", "")
	if err != nil {
		return nil, err
	}
	return vmsOf(listed, func(vm intent[vmResources]) bool { return vm.Metadata.Categories[key] == value }), nil
}

func vmsOf(listed []intent[vmResources], match func(vm intent[vmResources]) bool) []VM {
	var vms []VM
	for _, vm := range distinct(listed, match) {
		vms = append(vms, vmOf(vm))
	}
	slices.SortFunc(vms, func(a, b VM) int { return strings.Compare(a.UUID, b.UUID) })
	return vms
}
