package controllertest

import (
	"maps"
	"regexp"
	"strconv"

	"github.com/capnt/capnt/renderer"
)

var (
	memoryArgument = regexp.MustCompile(`\n  memory_size_mib += (\d+)`)
	categoryBlock  = regexp.MustCompile(`(?s)categories += \{(.*?)\n  \}`)
	categoryEntry  = regexp.MustCompile(`"(.*)" += "(.*)"`)
)

// desired returns the memory and categories that main.tf and the file with foreign categories request for the VM.
func (w *workspace) desired() (memoryMiB int64, categories map[string]string) {
	if found := memoryArgument.FindSubmatch(w.files["main.tf"]); found != nil {
		memoryMiB, _ = strconv.ParseInt(string(found[1]), 10, 64) // the pattern matches digits only
	}
	categories = map[string]string{}
	for _, file := range []string{renderer.ForeignCategoriesFile, "main.tf"} {
		if block := categoryBlock.FindSubmatch(w.files[file]); block != nil {
			for _, entry := range categoryEntry.FindAllSubmatch(block[1], -1) {
				categories[string(entry[1])] = string(entry[2])
			}
		}
	}
	return memoryMiB, categories
}

// differences returns the attributes in which the VM with the UUID differs from its workspace, with their values before
// and after an update.
func (w *workspace) differences(uuid string) (before, after map[string]any) {
	before, after = map[string]any{}, map[string]any{}
	memoryMiB, categories := w.desired()
	for _, vm := range w.terraform.Prism.VMs() {
		if vm.UUID != uuid {
			continue
		}
		if vm.MemoryMiB != 0 && vm.MemoryMiB != memoryMiB {
			before["memory_size_mib"], after["memory_size_mib"] = vm.MemoryMiB, memoryMiB
		}
		if vm.Categories != nil && !maps.Equal(vm.Categories, categories) {
			before["categories"], after["categories"] = vm.Categories, categories
		}
	}
	return before, after
}

// update writes the planned attributes to the VM with the UUID.
func (w *workspace) update(uuid string, after map[string]any) {
	for _, vm := range w.terraform.Prism.VMs() {
		if vm.UUID != uuid {
			continue
		}
		if memory, ok := after["memory_size_mib"].(float64); ok {
			vm.MemoryMiB = int64(memory)
		}
		if categories, ok := after["categories"].(map[string]any); ok {
			vm.Categories = map[string]string{}
			for key, value := range categories {
				vm.Categories[key], _ = value.(string)
			}
		}
		w.terraform.Prism.Put(vm)
	}
}

func object(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}
