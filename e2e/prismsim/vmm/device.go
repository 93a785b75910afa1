package vmm

import (
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// deviceKind is a kind of devices of a VM that have operations of their own.
type deviceKind struct {
	path string // for example "nics"
	word string // for example "Nic"
	rel  string // type of the device in the entities of a task
	view func(m *model.VM, minor int) []v4.Object
	// read decodes the device in a request. The returned function replaces the device at an index in the resources of a
	// VM; the index -1 adds a device.
	read func(r *v4.Request) (func(res *wire.VMResources, index int), error)
	// remove removes the device at an index. The indexes are those of view.
	remove func(res *wire.VMResources, index int)
	// cold is true if devices of this kind can be added and removed only while the VM is off.
	cold bool
	// updatable is true if the API can change a device of this kind.
	updatable bool
}

var (
	kindDisk = deviceKind{
		path: "disks", word: "Disk", rel: "vmm:ahv:config:vm:disk", view: diskObjects, updatable: true, read: readDisk("DISK"), remove: removeDisk("DISK"),
	}
	kindCDROM = deviceKind{
		path: "cd-roms", word: "CdRom", rel: "vmm:ahv:config:vm:cdrom", view: cdromObjects, cold: true, read: readDisk("CDROM"), remove: removeDisk("CDROM"),
	}
	kindNIC = deviceKind{
		path: "nics", word: "Nic", rel: "vmm:ahv:config:vm:nic", view: nicObjects, updatable: true, read: readNIC,
		remove: func(res *wire.VMResources, i int) { res.NICList = slices.Delete(res.NICList, i, i+1) },
	}
	kindGPU = deviceKind{
		path: "gpus", word: "Gpu", rel: "vmm:ahv:config:vm:gpu", view: gpuObjects, cold: true, read: readGPU,
		remove: func(res *wire.VMResources, i int) { res.GPUList = slices.Delete(res.GPUList, i, i+1) },
	}
	kindSerialPort = deviceKind{
		path: "serial-ports", word: "SerialPort", rel: "vmm:ahv:config:vm:serialport", view: serialPortObjects, cold: true, updatable: true, read: readSerialPort,
		remove: func(res *wire.VMResources, i int) { res.SerialPortList = slices.Delete(res.SerialPortList, i, i+1) },
	}
)

func (api *API) deviceRoutes(r *v4.Router) {
	for _, kind := range []deviceKind{kindDisk, kindCDROM, kindNIC, kindGPU, kindSerialPort} {
		handle := func(method, path, responseType string, e func(*v4.Request, deviceKind) (*v4.Response, error)) {
			r.Handle(method, "vmm", vmPath+"/{vmExtId}/"+kind.path+path, vmTypes+responseType+"ApiResponse", func(r *v4.Request) (*v4.Response, error) {
				return e(r, kind)
			})
		}
		handle("GET", "", "List"+kind.word+"s", api.listDevices)
		handle("POST", "", "Create"+kind.word, api.addDevice)
		handle("GET", "/{extId}", "Get"+kind.word, api.getDevice)
		handle("DELETE", "/{extId}", "Delete"+kind.word, api.removeDevice)
		if kind.updatable {
			handle("PUT", "/{extId}", "Update"+kind.word, api.updateDevice)
		}
	}
}

func (api *API) listDevices(r *v4.Request, kind deviceKind) (*v4.Response, error) {
	api.Mu.Lock()
	m, err := api.vm(r)
	if err != nil {
		api.Mu.Unlock()
		return nil, err
	}
	items := kind.view(m, r.Minor)
	api.Mu.Unlock()
	return v4.Listing{Filters: []string{"extId"}}.Respond(r, items)
}

// find returns the index of a device, or -1 if the VM does not have it.
func (kind deviceKind) find(m *model.VM, id string) int {
	return slices.IndexFunc(kind.view(m, 0), func(device v4.Object) bool { return device["extId"] == id })
}

// noSuchDevice returns the error response to a request for a device that the VM does not have. This package defines the
// code.
func noSuchDevice(kind deviceKind, id string) *v4.Error {
	return v4.NoSuchEntity("VMM-30103", kind.word, id)
}

func (api *API) getDevice(r *v4.Request, kind deviceKind) (*v4.Response, error) {
	id := strings.ToLower(r.PathValue("extId"))
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return nil, err
	}
	i := kind.find(m, id)
	if i < 0 {
		return nil, noSuchDevice(kind, id)
	}
	return &v4.Response{Data: kind.view(m, r.Minor)[i], ETag: m.V4.Revision.ETag()}, nil
}

func (api *API) addDevice(r *v4.Request, kind deviceKind) (*v4.Response, error) {
	set, err := kind.read(r)
	if err != nil {
		return nil, err
	}
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.changedVM(r)
	if err != nil {
		return nil, err
	}
	return api.order(r, m, vmTask{operation: "kVm" + kind.word + "Create", description: "Create " + kind.word, duration: api.Latency.Update,
		work: func(t *model.Task) *model.TaskError {
			if text := kind.refuseWhileOn(m); text != "" {
				return invalidState(text).Fails()
			}
			before := kind.ids(m)
			failed := api.changeDevices(m, func(res *wire.VMResources) { set(res, -1) })
			for _, id := range model.RemoveStrings(kind.ids(m), before) {
				t.Affect(model.TaskEntity{UUID: id, Rel: kind.rel})
			}
			return failed
		}}), nil
}

func (kind deviceKind) ids(m *model.VM) []string {
	var out []string
	for _, device := range kind.view(m, 0) {
		if id, isText := device["extId"].(string); isText {
			out = append(out, id)
		}
	}
	return out
}

// refuseWhileOn returns an error message if the VM is on and devices of this kind can be changed only while it is off.
// This package defines the message.
func (kind deviceKind) refuseWhileOn(m *model.VM) string {
	if !kind.cold || m.Power != wire.PowerOn {
		return ""
	}
	return "Failed to perform the operation on the VM with UUID '" + m.UUID + "', because a " + kind.word + " cannot be changed while the VM is powered on."
}

// changeDevices changes the devices of a VM.
func (api *API) changeDevices(m *model.VM, change func(*wire.VMResources)) *model.TaskError {
	return api.Reconfigure(m, func(spec *wire.VMSpec) *model.TaskError {
		change(spec.Resources)
		if invalid := api.checkDevices(m.UUID, m.PrismElement, spec.Resources); invalid != nil {
			return invalid.Fails()
		}
		return nil
	})
}

func (api *API) updateDevice(r *v4.Request, kind deviceKind) (*v4.Response, error) {
	set, err := kind.read(r)
	if err != nil {
		return nil, err
	}
	return api.changeDevice(r, kind, "Update", set)
}

func (api *API) removeDevice(r *v4.Request, kind deviceKind) (*v4.Response, error) {
	return api.changeDevice(r, kind, "Delete", kind.remove)
}

// changeDevice starts a task that updates or deletes the device with the ID in the path of a request.
func (api *API) changeDevice(r *v4.Request, kind deviceKind, verb string, change func(*wire.VMResources, int)) (*v4.Response, error) {
	id := strings.ToLower(r.PathValue("extId"))
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.changedVM(r)
	if err != nil {
		return nil, err
	}
	if kind.find(m, id) < 0 {
		return nil, noSuchDevice(kind, id)
	}
	return api.order(r, m, vmTask{
		operation: "kVm" + kind.word + verb, description: verb + " " + kind.word, duration: api.Latency.Update,
		device: model.TaskEntity{UUID: id, Rel: kind.rel},
		work: func(*model.Task) *model.TaskError {
			index := kind.find(m, id)
			if index < 0 {
				return noSuchDevice(kind, id).Fails()
			}
			if text := kind.refuseWhileOn(m); text != "" {
				return invalidState(text).Fails()
			}
			return api.changeDevices(m, func(res *wire.VMResources) { change(res, index) })
		},
	}), nil
}
