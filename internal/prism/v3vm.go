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

func (a apiV3) vm(ctx context.Context, uuid string) (*VM, error) {
	var found intent[vmResources]
	if err := a.get(ctx, &found, "vms", uuid); err != nil {
		return nil, err
	}
	vm := vmOf(found)
	return &vm, nil
}

// vmsOfCategory reads the list of all VMs, because filters by category are not documented.
func (a apiV3) vmsOfCategory(ctx context.Context, key, value string) ([]VM, error) {
	listed, err := list[intent[vmResources]](ctx, a.Client, "vm", "")
	if err != nil {
		return nil, err
	}
	return vmsOf(listed, func(vm intent[vmResources]) bool { return vm.Metadata.Categories[key] == value }), nil
}

func vmsOf(listed []intent[vmResources], match func(vm intent[vmResources]) bool) []VM {
	vms := convertAll(listed, func(in intent[vmResources]) (VM, bool) { return vmOf(in), match(in) })
	return sortByUUID(distinct(vms, func(VM) bool { return true }))
}

// allVMs does not rely on total_matches, which is only eventually consistent.
func (a apiV3) allVMs(ctx context.Context) (VMList, error) {
	var listed []intent[vmResources]
	var totals []int
	for range maxPages {
		var page listResponse[intent[vmResources]]
		request := listRequest{Kind: "vm", Length: pageLength, Offset: len(listed)}
		if err := a.post(ctx, "vms/list", request, &page); err != nil {
			return VMList{}, err
		}
		listed = append(listed, page.Entities...)
		totals = append(totals, page.Metadata.TotalMatches)
		short := len(page.Entities) < pageLength
		if len(page.Entities) == 0 || short && len(listed) >= page.Metadata.TotalMatches {
			return vmList(listed, totals), nil
		}
	}
	return VMList{}, &ResponseError{Address: a.address, Path: "vms/list", Err: fmt.Errorf("the list does not end after %d pages", maxPages)}
}

// vmList returns the list of the VMs on all pages. totals contains the number of VMs that Prism Central reported with each page.
func vmList(listed []intent[vmResources], totals []int) VMList {
	vms := vmsOf(listed, func(intent[vmResources]) bool { return true })
	agreed := !slices.ContainsFunc(totals, func(total int) bool { return total != len(listed) })
	return VMList{VMs: vms, Complete: agreed && len(vms) == len(listed)}
}
