// Package vmm implements the vmm namespace of the v4 API: VMs with their devices, images, and anti-affinity policies.
package vmm

import (
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// API serves the vmm namespace.
type API struct {
	*model.Central
}

// New returns the vmm API of the Prism Central e.
func New(e *model.Central) *API { return &API{Central: e} }

const (
	vmTypes = "vmm.v4.ahv.config."
	vmPath  = "ahv/config/vms"
)

// Register adds the operations of the vmm namespace.
func (api *API) Register(r *v4.Router) {
	api.vmRoutes(r)
	api.actionRoutes(r)
	api.deviceRoutes(r)
	api.imageRoutes(r)
	api.policyRoutes(r)
}

func (api *API) vmRoutes(r *v4.Router) {
	handle := func(method, path, responseType string, e v4.Endpoint) {
		r.Handle(method, "vmm", vmPath+path, vmTypes+responseType, e)
	}
	handle("GET", "", "ListVmsApiResponse", api.listVMs)
	handle("POST", "", "CreateVmApiResponse", api.createVM)
	handle("GET", "/{extId}", "GetVmApiResponse", api.getVM)
	handle("PUT", "/{extId}", "UpdateVmApiResponse", api.updateVM)
	handle("DELETE", "/{extId}", "DeleteVmApiResponse", api.deleteVM)
}

func (api *API) actionRoutes(r *v4.Router) {
	const path = vmPath + "/{extId}/$actions/"
	handle := func(action, responseType string, e v4.Endpoint) {
		r.Handle("POST", "vmm", path+action, vmTypes+responseType, e)
	}
	handle("power-on", "PowerOnVmApiResponse", api.switchPower(wire.PowerOn))
	handle("power-off", "PowerOffVmApiResponse", api.switchPower(wire.PowerOff))
	handle("shutdown", "ShutdownVmApiResponse", api.switchPower(wire.PowerOff))
	handle("guest-shutdown", "ShutdownVmApiResponse", api.switchPower(wire.PowerOff))
	handle("reboot", "RebootVmApiResponse", api.restart)
	handle("guest-reboot", "RebootVmApiResponse", api.restart)
	handle("reset", "ResetVmApiResponse", api.restart)
	handle("power-cycle", "PowerCycleVmApiResponse", api.restart)
	handle("associate-categories", "AssociateCategoriesApiResponse", api.changeCategories(true))
	handle("disassociate-categories", "DisassociateCategoriesApiResponse", api.changeCategories(false))
	r.HandleSince(2, "POST", "vmm", path+"add-custom-attributes", vmTypes+"AddVmCustomAttributesApiResponse", api.changeAttributes(model.AddStrings))
	r.HandleSince(2, "POST", "vmm", path+"remove-custom-attributes", vmTypes+"RemoveVmCustomAttributesApiResponse", api.changeAttributes(model.RemoveStrings))
}
