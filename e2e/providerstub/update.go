package main

import (
	"context"
	"reflect"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

// separate are the attributes that the PUT request of an update does not change. Changes of project and availability_zone are never sent.
var separate = map[string]bool{
	"categories": true, "project": true, "availability_zone": true, "power_state": true,
	"disks": true, "nics": true, "cd_roms": true, "serial_ports": true, "gpus": true,
}

// updateVM switches the VM off if a change needs that, sends the changes, and switches the VM on again. It ignores errors of both switches.
// The provider crashes if the VM cannot be read.
func updateVM(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	r := newRun(ctx, d, meta)
	cold := isCold(d)
	if cold {
		r.switchPower(off)
	}
	for _, step := range []func() diag.Diagnostics{r.updateProperties, r.updateDevices, r.updateCategories} {
		if failed := step(); failed.HasError() {
			return failed
		}
	}
	if cold && d.Get("power_state") == on {
		r.switchPower(on)
	}
	if state := d.Get("power_state").(string); d.HasChange("power_state") && state != "" {
		if state != on {
			state = off
		}
		if failed := r.switchPower(state); failed.HasError() {
			return failed
		}
	}
	return readVM(ctx, d, meta)
}

// isCold reports whether the provider switches the VM off for an update.
func isCold(d *schema.ResourceData) bool {
	if d.HasChanges("num_cores_per_socket", "num_threads_per_core", "cd_roms", "num_numa_nodes", "cluster", "is_cpu_passthrough_enabled",
		"enabled_cpu_features", "is_vcpu_hard_pinning_enabled", "guest_customization", "guest_tools", "serial_ports", "gpus", "boot_config",
		"is_cpu_hotplug_enabled") {
		return true
	}
	if !d.Get("is_cpu_hotplug_enabled").(bool) && d.HasChange("num_sockets") {
		return true
	}
	return decreases(d, "memory_size_bytes") || decreases(d, "num_sockets")
}

func decreases(d *schema.ResourceData, name string) bool {
	before, after := d.GetChange(name)
	return after.(int) < before.(int)
}

// updateProperties sends the whole VM as it was read with the changed properties. It always reads the VM.
func (r *vmRun) updateProperties() diag.Diagnostics {
	read, _ := r.get()
	vm := read.GetData().(config.Vm)
	changed := false
	for _, name := range vmSchema.sentNames() {
		if separate[name] || !r.d.HasChange(name) {
			continue
		}
		vmSchema[name].assign(reflect.ValueOf(&vm).Elem(), name, r.d.Get(name))
		changed = true
	}
	if !changed {
		return nil
	}
	updated, err := r.vms.UpdateVmById(r.id(), &vm)
	if err != nil {
		return diag.Errorf("error while updating Virtual Machines : %v", err)
	}
	task := taskOf(updated)
	if err := r.wait(r.ctx, task); err != nil {
		return diag.Errorf("error waiting for virtual machine (%s) to update: %s", valueOf(task), err)
	}
	return nil
}

// updateCategories removes categories from the VM, and then adds others.
func (r *vmRun) updateCategories() diag.Diagnostics {
	before, after := r.d.GetChange("categories")
	change := compare(itemsOf(before), itemsOf(after))
	vm := &config.Vm{}
	model := reflect.ValueOf(vm).Elem()
	if len(change.removed) > 0 {
		vmSchema["categories"].assign(model, "categories", change.removed)
		body := &config.DisassociateVmCategoriesParams{Categories: vm.Categories}
		if failed := r.change("error while reading vm", func(args map[string]any) (response, error) {
			return r.vms.DisassociateCategories(r.id(), body, args)
		}, "diassociate categories", "categories (%s) to diassociate"); failed.HasError() {
			return failed
		}
	}
	if len(change.added) > 0 {
		vmSchema["categories"].assign(model, "categories", change.added)
		body := &config.AssociateVmCategoriesParams{Categories: vm.Categories}
		return r.change("error while reading vm", func(args map[string]any) (response, error) {
			return r.vms.AssociateCategories(r.id(), body, args)
		}, "associating categories", "categories (%s) to attach")
	}
	return nil
}

// change reads the VM for its ETag, sends one request, and waits for its task. A conflict is an error. what and awaited are parts of
// errors.
func (r *vmRun) change(readError string, send func(args map[string]any) (response, error), what, awaited string) diag.Diagnostics {
	read, err := r.get()
	if err != nil {
		return diag.Errorf("%s : %v", readError, err)
	}
	sent, err := send(r.ifMatch(read))
	if err != nil {
		return diag.Errorf("error while %s : %v", what, err)
	}
	task := taskOf(sent)
	if err := r.wait(r.ctx, task); err != nil {
		return diag.Errorf("error waiting for "+awaited+": %s", valueOf(task), err)
	}
	return nil
}

// difference is the difference between two lists of blocks. Blocks with the same ext_id are the same object.
type difference struct{ added, removed, updated []any }

func compare(before, after []any) difference {
	var change difference
	for _, item := range after {
		switch {
		case contains(before, item):
		case hasID(before, idOf(item)):
			change.updated = append(change.updated, item)
		default:
			change.added = append(change.added, item)
		}
	}
	for _, item := range before {
		if !contains(after, item) && !hasID(after, idOf(item)) {
			change.removed = append(change.removed, item)
		}
	}
	return change
}

func contains(list []any, item any) bool {
	for _, other := range list {
		if reflect.DeepEqual(other, item) {
			return true
		}
	}
	return false
}

func hasID(list []any, id string) bool {
	for _, item := range list {
		if id != "" && idOf(item) == id {
			return true
		}
	}
	return false
}

func idOf(item any) string { return item.(map[string]any)["ext_id"].(string) }
