package main

import (
	"reflect"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
)

// A deviceKind is a list of devices of a VM. Each change of a device is a request and a task of its own.
type deviceKind struct {
	name     string // of the attribute
	addFirst bool
	// The functions send a request. Without update, a changed device is not updated.
	remove func(r *vmRun, id *string, args map[string]any) (response, error)
	update func(r *vmRun, id *string, item map[string]any, args map[string]any) (response, error)
	add    func(r *vmRun, item map[string]any, args map[string]any) (response, error)
	texts  map[string][2]string // parts of errors, see vmRun.change
}

// deviceKinds are in the order in which an update changes them.
var deviceKinds = []deviceKind{
	{
		name: "disks",
		remove: func(r *vmRun, id *string, args map[string]any) (response, error) {
			return r.vms.DeleteDiskById(r.id(), id, args)
		},
		update: func(r *vmRun, id *string, item map[string]any, args map[string]any) (response, error) {
			return r.vms.UpdateDiskById(r.id(), id, model[config.Disk]("disks", withoutDataSource(item)), args)
		},
		add: func(r *vmRun, item map[string]any, args map[string]any) (response, error) {
			return r.vms.CreateDisk(r.id(), model[config.Disk]("disks", item), args)
		},
		texts: map[string][2]string{
			"remove": {"deleting Disk", "disk (%s) to be deleted"}, "update": {"updating Disk", "disk (%s) to be updated"},
			"add": {"creating Disk", "disk (%s) to add"},
		},
	},
	{
		name: "nics",
		remove: func(r *vmRun, id *string, args map[string]any) (response, error) {
			return r.vms.DeleteNicById(r.id(), id, args)
		},
		update: func(r *vmRun, id *string, item map[string]any, args map[string]any) (response, error) {
			return r.vms.UpdateNicById(r.id(), id, expandNIC(item, r.configuredNIC(*id)), args)
		},
		add: func(r *vmRun, item map[string]any, args map[string]any) (response, error) {
			return r.vms.CreateNic(r.id(), expandNIC(item, nil), args)
		},
		texts: map[string][2]string{
			"remove": {"deleting nic", "nic (%s) to be deleted"}, "update": {"updating Nic", "nic (%s) to be updated"},
			"add": {"creating NIC", "NIC (%s) to add"},
		},
	},
	{
		name: "cd_roms", addFirst: true,
		remove: func(r *vmRun, id *string, args map[string]any) (response, error) {
			return r.vms.DeleteCdRomById(r.id(), id, args)
		},
		add: func(r *vmRun, item map[string]any, args map[string]any) (response, error) {
			return r.vms.CreateCdRom(r.id(), model[config.CdRom]("cd_roms", item), args)
		},
		texts: map[string][2]string{"remove": {"deleting cdrom", "cdrom (%s) to be deleted"}, "add": {"creating CdRom", "CdRom (%s) to add"}},
	},
	{
		name: "serial_ports",
		remove: func(r *vmRun, id *string, args map[string]any) (response, error) {
			return r.vms.DeleteSerialPortById(r.id(), id, args)
		},
		update: func(r *vmRun, id *string, item map[string]any, args map[string]any) (response, error) {
			return r.vms.UpdateSerialPortById(r.id(), id, model[config.SerialPort]("serial_ports", item), args)
		},
		add: func(r *vmRun, item map[string]any, args map[string]any) (response, error) {
			return r.vms.CreateSerialPort(r.id(), model[config.SerialPort]("serial_ports", item), args)
		},
		texts: map[string][2]string{
			"remove": {"deleting serial port", "serial port (%s) to delete"}, "update": {"updating serial port", "seial port (%s) to be updated"},
			"add": {"creating SerialPort", "SerialPort (%s) to add"},
		},
	},
	{
		name: "gpus", addFirst: true,
		remove: func(r *vmRun, id *string, args map[string]any) (response, error) {
			return r.vms.DeleteGpuById(r.id(), id, args)
		},
		add: func(r *vmRun, item map[string]any, args map[string]any) (response, error) {
			return r.vms.CreateGpu(r.id(), model[config.Gpu]("gpus", item), args)
		},
		texts: map[string][2]string{"remove": {"deleting gpu", "gpu (%s) to be deleted"}, "add": {"creating Gpu", "Gpu (%s) to add"}},
	},
}

// updateDevices removes, updates and adds devices. CD-ROMs and GPUs are added before others are removed.
func (r *vmRun) updateDevices() diag.Diagnostics {
	for _, kind := range deviceKinds {
		before, after := r.d.GetChange(kind.name)
		change := compare(itemsOf(before), itemsOf(after))
		remove := func() diag.Diagnostics { return r.each("remove", kind, change.removed) }
		add := func() diag.Diagnostics { return r.each("add", kind, change.added) }
		steps := []func() diag.Diagnostics{remove, func() diag.Diagnostics { return r.each("update", kind, change.updated) }, add}
		if kind.addFirst {
			steps = []func() diag.Diagnostics{add, remove}
		}
		for _, step := range steps {
			if failed := step(); failed.HasError() {
				return failed
			}
		}
	}
	return nil
}

// each sends one request for each device.
func (r *vmRun) each(verb string, kind deviceKind, items []any) diag.Diagnostics {
	for _, item := range items {
		fields := item.(map[string]any)
		id := pointerTo(idOf(item))
		send := map[string]func(map[string]any) (response, error){
			"remove": func(args map[string]any) (response, error) { return kind.remove(r, id, args) },
			"update": func(args map[string]any) (response, error) { return kind.update(r, id, fields, args) },
			"add":    func(args map[string]any) (response, error) { return kind.add(r, fields, args) },
		}[verb]
		texts := kind.texts[verb]
		if failed := r.change("error while fetching vm", send, texts[0], texts[1]); failed.HasError() {
			return failed
		}
	}
	return nil
}

// model returns a device as requests contain it.
func model[T any](name string, item map[string]any) *T {
	made := new(T)
	value := reflect.ValueOf(made).Elem()
	vmSchema[name].fill(value, item)
	if id := idOf(item); id != "" {
		modelField(value, "ext_id").Set(reflect.ValueOf(&id))
	}
	return made
}

// withoutDataSource removes the image from a disk, because an update cannot change the image.
func withoutDataSource(disk map[string]any) map[string]any {
	for _, backing := range itemsOf(disk["backing_info"]) {
		for _, vmDisk := range itemsOf(backing.(map[string]any)["vm_disk"]) {
			delete(vmDisk.(map[string]any), "data_source")
		}
	}
	return disk
}
