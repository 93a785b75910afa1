package prismsim

import (
	"net/http"
	"strconv"
	"strings"
)

// relVM is the type of a VM in the entities of a task.
const relVM = "vmm:ahv:config:vm"

// v4Machine is what only the v4 API and its tests know of a VM.
type v4Machine struct {
	revision   revision
	attributes []string // "key:value"
	// shown is the power state to show instead of the real one until the VM is switched; "" leaves it out.
	shown     *string
	secondary map[string][]string // NIC UUID -> further configured IPv4 addresses
	announced map[string][]string // NIC UUID -> addresses that something in the guest announces, such as kube-vip
}

// switched notes that the power state changed.
func (v *v4Machine) switched() {
	v.shown = nil
	v.revision++
}

func (api *v4API) v4VMRoutes(r *v4Router) {
	const ns, types, vms = "vmm", "vmm.v4.ahv.config.", "ahv/config/vms"
	r.handle("GET", ns, vms, types+"ListVmsApiResponse", api.v4ListVMs)
	r.handle("GET", ns, vms+"/{extId}", types+"GetVmApiResponse", api.v4GetVM)
	r.handle("DELETE", ns, vms+"/{extId}", types+"DeleteVmApiResponse", api.v4DeleteVM)
	actions := vms + "/{extId}/$actions/"
	r.handle("POST", ns, actions+"power-on", types+"PowerOnVmApiResponse", api.v4Switch(powerOn))
	r.handle("POST", ns, actions+"power-off", types+"PowerOffVmApiResponse", api.v4Switch(powerOff))
	r.handleSince(2, "POST", ns, actions+"add-custom-attributes", types+"AddVmCustomAttributesApiResponse", api.v4Attributes(addAttributes))
	r.handleSince(2, "POST", ns, actions+"remove-custom-attributes", types+"RemoveVmCustomAttributesApiResponse", api.v4Attributes(removeAttributes))
}

// v4VM finds the VM of a request; the caller holds the mutex. A VM whose creation did not end does not exist yet.
func (api *v4API) v4VM(r *v4Request) (*machine, error) {
	id := strings.ToLower(r.PathValue("extId"))
	if !isUUID(id) {
		return nil, &v4Error{
			status: http.StatusBadRequest, location: "@path.extId",
			message: `ECMA 262 regex "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$" does not match input string "` + id + `"`,
		}
	}
	m := api.vmByUUID(id)
	if m == nil || !m.exists {
		return nil, noSuchVM(id)
	}
	switch status := api.unreachable(m); status {
	case 0:
		return m, nil
	case http.StatusNotFound:
		return nil, noSuchVM(id)
	default:
		return nil, asV4Error(refusalWith(status))
	}
}

func noSuchVM(id string) *v4Error {
	return &v4Error{
		status: http.StatusNotFound, code: "VMM-30100", group: "VM_NOT_FOUND", arguments: map[string]string{"vm_uuid": id},
		message: "Failed to perform the operation on the VM with UUID '" + id + "', because it is not found.",
	}
}

func (api *v4API) v4GetVM(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	m, err := api.v4VM(r)
	if err != nil {
		return nil, err
	}
	return &v4Answer{data: api.vmObject(m, r), etag: m.v4.revision.etag()}, nil
}

// vmListing has the fields that are documented for lists of VMs.
var vmListing = v4Listing{
	filters: []string{
		"cluster/extId", "extId", "hardwareClockTimezone", "host/extId", "isAgentVm", "isCpuHotplugEnabled", "isCpuPassthroughEnabled",
		"isGpuConsoleEnabled", "isLiveMigrateCapable", "isMemoryOvercommitEnabled", "isScsiControllerEnabled", "isVcpuHardPinningEnabled",
		"isVgaConsoleEnabled", "machineType", "memorySizeBytes", "name", "numCoresPerSocket", "numNumaNodes", "numSockets",
		"numThreadsPerCore", "powerState",
	},
	orders: []string{"memorySizeBytes", "name", "numCoresPerSocket", "numNumaNodes", "numSockets", "numThreadsPerCore"},
}

// filterRelease is the release of Prism Central that also filters VMs by BIOS UUID (pc.7.6).
var filterRelease = []int{7, 6}

// vmListing gives what VMs can be filtered by in this release of Prism Central.
func (api *v4API) vmListing() v4Listing {
	listing := vmListing
	if atLeast(api.central.Version, filterRelease) {
		listing.filters = append(append([]string{}, listing.filters...), "biosUuid", "categories/extId")
	}
	return listing
}

// atLeast compares a version such as pc.7.6.0.5 or pc.2024.3; versions with a year are older than those without.
func atLeast(version string, release []int) bool {
	parts := strings.Split(strings.TrimPrefix(version, "pc."), ".")
	for i, want := range release {
		have := 0
		if i < len(parts) {
			have, _ = strconv.Atoi(parts[i]) // what is no number counts as 0
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

func (api *v4API) v4ListVMs(r *v4Request) (*v4Answer, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	items, byID := []object{}, map[any]*machine{}
	for _, m := range api.vms.listed(api.rules.lag("vm")) {
		if api.listable(m) {
			items = append(items, api.vmCore(m))
			byID[m.uuid] = m
		}
	}
	return api.vmListing().answerWith(r, items, func(core object) object { return api.vmObject(byID[core["extId"]], r) })
}
