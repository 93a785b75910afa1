package v4

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func (api *API) vmRoutes(r *Router) {
	const ns, types, vms = "vmm", "vmm.v4.ahv.config.", "ahv/config/vms"
	r.Handle("GET", ns, vms, types+"ListVmsApiResponse", api.listVMs)
	r.Handle("GET", ns, vms+"/{extId}", types+"GetVmApiResponse", api.getVM)
	r.Handle("DELETE", ns, vms+"/{extId}", types+"DeleteVmApiResponse", api.deleteVM)
	actions := vms + "/{extId}/$actions/"
	r.Handle("POST", ns, actions+"power-on", types+"PowerOnVmApiResponse", api.switchPower(wire.PowerOn))
	r.Handle("POST", ns, actions+"power-off", types+"PowerOffVmApiResponse", api.switchPower(wire.PowerOff))
	r.handleSince(2, "POST", ns, actions+"add-custom-attributes", types+"AddVmCustomAttributesApiResponse", api.changeAttributes(model.AddStrings))
	r.handleSince(2, "POST", ns, actions+"remove-custom-attributes", types+"RemoveVmCustomAttributesApiResponse", api.changeAttributes(model.RemoveStrings))
}

// vm returns the VM with the ID in the path of a request. It returns an error for a VM that is still being created. The
// caller holds the mutex.
func (api *API) vm(r *Request) (*model.VM, error) {
	id := strings.ToLower(r.PathValue("extId"))
	if !inventory.IsUUID(id) {
		return nil, &Error{
			Status: http.StatusBadRequest, location: "@path.extId",
			Message: `ECMA 262 regex "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$" does not match input string "` + id + `"`,
		}
	}
	m := api.VMByUUID(id)
	if m == nil || !m.Exists {
		return nil, noSuchVM(id)
	}
	switch status := api.Unreachable(m); status {
	case 0:
		return m, nil
	case http.StatusNotFound:
		return nil, noSuchVM(id)
	default:
		return nil, asV4Error(wire.ErrorWith(status))
	}
}

func noSuchVM(id string) *Error {
	return &Error{
		Status: http.StatusNotFound, Code: "VMM-30100", Group: "VM_NOT_FOUND", Arguments: map[string]string{"vm_uuid": id},
		Message: "Failed to perform the operation on the VM with UUID '" + id + "', because it is not found.",
	}
}

func (api *API) getVM(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return nil, err
	}
	return &Response{Data: api.vmObject(m, r), ETag: m.V4.Revision.ETag()}, nil
}

// vmListing contains the fields that the documentation lists for VM queries.
var vmListing = Listing{
	Filters: []string{
		"cluster/extId", "extId", "hardwareClockTimezone", "host/extId", "isAgentVm", "isCpuHotplugEnabled", "isCpuPassthroughEnabled",
		"isGpuConsoleEnabled", "isLiveMigrateCapable", "isMemoryOvercommitEnabled", "isScsiControllerEnabled", "isVcpuHardPinningEnabled",
		"isVgaConsoleEnabled", "machineType", "memorySizeBytes", "name", "numCoresPerSocket", "numNumaNodes", "numSockets",
		"numThreadsPerCore", "powerState",
	},
	Orders: []string{"memorySizeBytes", "name", "numCoresPerSocket", "numNumaNodes", "numSockets", "numThreadsPerCore"},
}

// filterRelease is the first release of Prism Central that supports filtering VMs by BIOS UUID: pc.7.6.
var filterRelease = []int{7, 6}

// vmListing returns the queries for VMs that the simulated release of Prism Central supports.
func (api *API) vmListing() Listing {
	listing := vmListing
	if atLeast(api.PrismCentral.Version, filterRelease) {
		listing.Filters = append(append([]string{}, listing.Filters...), "biosUuid", "categories/extId")
	}
	return listing
}

// atLeast reports whether a version such as pc.7.6.0.5 or pc.2024.3 is not older than release. Versions that begin with
// a year are older than all others.
func atLeast(version string, release []int) bool {
	parts := strings.Split(strings.TrimPrefix(version, "pc."), ".")
	for i, want := range release {
		have := 0
		if i < len(parts) {
			have, _ = strconv.Atoi(parts[i]) // 0 if the part is not a number
		}
		switch {
		case i == 0 && have > 2000:
			return false
		case have != want:
			return have > want
		}
	}
	return true
}

func (api *API) listVMs(r *Request) (*Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	items, byID := []Object{}, map[any]*model.VM{}
	for _, m := range api.VMs.Listed(api.Rules.Lag("vm")) {
		if api.Listable(m) {
			items = append(items, api.vmCore(m))
			byID[m.UUID] = m
		}
	}
	return api.vmListing().respondWith(r, items, func(core Object) Object { return api.vmObject(byID[core["extId"]], r) })
}
