package controllertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/capnt/capnt/renderer"
)

var (
	memoryArgument = regexp.MustCompile(`\n  memory_size_mib += (\d+)`)
	categoryBlock  = regexp.MustCompile(`(?s)categories += \{(.*?)\n  \}`)
	categoryEntry  = regexp.MustCompile(`"(.*)" += "(.*)"`)
	categoryList   = regexp.MustCompile(`(?s)categories += \[(.*?)\]`)
	listedUUID     = regexp.MustCompile(`"([0-9a-fA-F-]{36})"`)
)

// desired returns the memory and categories that main.tf and the file with foreign categories request for the VM. With the v4 API the
// categories are UUIDs.
func (w *workspace) desired() (memoryMiB int64, categories map[string]string, uuids []string) {
	if found := memoryArgument.FindSubmatch(w.files["main.tf"]); found != nil {
		memoryMiB, _ = strconv.ParseInt(string(found[1]), 10, 64) // the pattern matches digits only
	}
	categories = map[string]string{}
	for _, file := range []string{renderer.ForeignCategoriesFile, "main.tf"} {
		uuids = append(uuids, uuidsIn(w.files[file])...)
		if block := categoryBlock.FindSubmatch(w.files[file]); block != nil {
			for _, entry := range categoryEntry.FindAllSubmatch(block[1], -1) {
				categories[string(entry[1])] = string(entry[2])
			}
		}
	}
	slices.Sort(uuids)
	return memoryMiB, categories, slices.Compact(uuids)
}

// differences returns the attributes in which the VM with the UUID differs from its workspace, with their values before
// and after an update.
func (w *workspace) differences(uuid string) (before, after map[string]any) {
	before, after = map[string]any{}, map[string]any{}
	memoryMiB, categories, uuids := w.desired()
	for _, vm := range w.terraform.Prism.VMs() {
		if vm.UUID != uuid {
			continue
		}
		if vm.MemoryMiB != 0 && vm.MemoryMiB != memoryMiB {
			attribute := w.memoryAttribute()
			before[attribute], after[attribute] = vm.MemoryMiB, memoryMiB
		}
		if w.isV4() {
			differencesV4(vm, w.desiredPower(), uuids, before, after)
			continue
		}
		if vm.Categories != nil && !maps.Equal(vm.Categories, categories) {
			before["categories"], after["categories"] = vm.Categories, categories
		}
	}
	return before, after
}

// memoryAttribute returns the name of the attribute with the memory. The double uses MiB as its unit with both APIs.
func (w *workspace) memoryAttribute() string {
	if w.isV4() {
		return "memory_size_bytes"
	}
	return "memory_size_mib"
}

// differencesV4 adds the differences in the power state and the categories.
func differencesV4(vm VM, power string, uuids []string, before, after map[string]any) {
	if present := cmp.Or(vm.PowerState, "ON"); present != power {
		before["power_state"], after["power_state"] = present, power
	}
	if !slices.Equal(slices.Sorted(slices.Values(vm.CategoryUUIDs)), uuids) {
		before["categories"], after["categories"] = fmt.Sprint(vm.CategoryUUIDs), strings.Join(uuids, ",")
	}
}

// update writes the planned attributes to the VM with the UUID.
func (w *workspace) update(ctx context.Context, uuid string, after map[string]any) {
	for _, vm := range w.terraform.Prism.VMs() {
		if vm.UUID != uuid {
			continue
		}
		if memory, ok := after[w.memoryAttribute()].(float64); ok {
			vm.MemoryMiB = int64(memory)
		}
		if categories, ok := after["categories"].(string); ok {
			vm.CategoryUUIDs = strings.Split(categories, ",")
		}
		if categories, ok := after["categories"].(map[string]any); ok {
			vm.Categories = map[string]string{}
			for key, value := range categories {
				vm.Categories[key], _ = value.(string)
			}
		}
		w.terraform.Prism.Put(vm)
		if after["power_state"] == "ON" { // the provider reports success if it cannot switch the VM on
			_, _ = w.sendV4(ctx, http.MethodPost, v4Base+v4VMs+"/"+uuid+v4PowerOn, nil)
		}
	}
}

func object(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}
