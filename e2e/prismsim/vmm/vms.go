package vmm

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// vm returns the VM with the ID in the path of a request. It returns an error for a VM that is still being created. The
// caller holds the mutex.
func (api *API) vm(r *v4.Request) (*model.VM, error) {
	name := "extId"
	if r.PathValue("vmExtId") != "" {
		name = "vmExtId"
	}
	id := strings.ToLower(r.PathValue(name))
	if !inventory.IsUUID(id) {
		return nil, v4.InvalidPath(name, id)
	}
	m := api.VMByUUID(id)
	if m == nil || !m.Exists {
		return nil, v4.NoSuchVM(id)
	}
	switch status := api.Unreachable(m); status {
	case 0:
		return m, nil
	case http.StatusNotFound:
		return nil, v4.NoSuchVM(id)
	default:
		return nil, v4.AsError(wire.ErrorWith(status))
	}
}

func (api *API) getVM(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return nil, err
	}
	return &v4.Response{Data: api.vmObject(m, r), ETag: m.V4.Revision.ETag()}, nil
}

// vmListing contains the fields that the documentation lists for VM queries.
var vmListing = v4.Listing{
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
func (api *API) vmListing() v4.Listing {
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

func (api *API) listVMs(r *v4.Request) (*v4.Response, error) {
	api.Mu.Lock()
	defer api.Mu.Unlock()
	items, byID := []v4.Object{}, map[any]*model.VM{}
	for _, m := range api.VMs.Listed(api.Rules.Lag("vm")) {
		if api.Listable(m) {
			items = append(items, api.vmCore(m))
			byID[m.UUID] = m
		}
	}
	return api.vmListing().RespondWith(r, items, func(core v4.Object) v4.Object { return api.vmObject(byID[core["extId"]], r) })
}
