package v4

import (
	"slices"
	"strings"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// gpuProfileRoutes adds the operations that read the GPUs of a Prism Element.
func (api *API) gpuProfileRoutes(r *Router) {
	const clusters = "config/clusters/{clusterExtId}/"
	r.Handle("GET", "clustermgmt", clusters+"physical-gpu-profiles", clusterTypes+"ListPhysicalGpuProfilesApiResponse",
		api.listGPUProfiles(func(mode string) bool { return mode != inventory.ModeVirtual }, physicalGPUProfile, gpuListing("physicalGpuConfig")))
	r.Handle("GET", "clustermgmt", clusters+"virtual-gpu-profiles", clusterTypes+"ListVirtualGpuProfilesApiResponse",
		api.listGPUProfiles(func(mode string) bool { return mode == inventory.ModeVirtual }, virtualGPUProfile, gpuListing("virtualGpuConfig")))
}

func gpuListing(config string) Listing {
	var paths []string
	for _, property := range []string{"deviceId", "deviceName", "vendorName", "type", "isInUse", "frameBufferSizeBytes"} {
		paths = append(paths, config+"/"+property)
	}
	return Listing{Filters: paths, Orders: paths}
}

// gpuCard is a physical GPU with the devices that VMs can use: the GPU itself or its virtual GPUs.
type gpuCard struct {
	id      string
	devices []model.Device
}

// users returns the UUIDs of the VMs that use a device of the GPU.
func (c gpuCard) users() []string {
	ids := []string{}
	for _, d := range c.devices {
		if d.User != nil {
			ids = append(ids, d.User.UUID)
		}
	}
	return ids
}

// config returns the properties that the configurations of physical and virtual GPUs have in common.
func (c gpuCard) config(name string) Object {
	first, used := c.devices[0], len(c.users())
	return Typed(clusterTypes+name, Object{
		"deviceId": first.DeviceID, "deviceName": first.Name, "vendorName": first.Vendor, "type": first.Mode, "sbdf": first.PCIAddress,
		"frameBufferSizeBytes": first.FrameBufferMiB * wire.Mebibyte, "isInUse": used == len(c.devices), "assignable": len(c.devices) - used,
	})
}

func physicalGPUProfile(c gpuCard) Object {
	config := c.config("PhysicalGpuConfig")
	config["mode"] = "UNUSED"
	if len(c.users()) > 0 {
		config["mode"] = "USED_FOR_PASSTHROUGH"
	}
	return Typed(clusterTypes+"PhysicalGpuProfile", Object{"extId": c.id, "physicalGpuConfig": config, "allocatedVmExtIds": c.users()})
}

func virtualGPUProfile(c gpuCard) Object {
	config := c.config("VirtualGpuConfig")
	config["fraction"], config["maxInstancesPerVm"] = len(c.devices), 1
	return Typed(clusterTypes+"VirtualGpuProfile", Object{"extId": c.id, "virtualGpuConfig": config, "allocatedVmExtIds": c.users()})
}

// gpuCards returns the physical GPUs of a Prism Element. The caller must hold the mutex.
func (api *API) gpuCards(pe *inventory.PrismElement) []gpuCard {
	var cards []gpuCard
	for _, host := range model.HostsOf(pe) {
		for _, d := range api.Devices(host) {
			id := inventory.DeriveUUID("gpu_profile", host.UUID+"/"+d.PCIAddress)
			i := slices.IndexFunc(cards, func(c gpuCard) bool { return c.id == id })
			if i < 0 {
				cards = append(cards, gpuCard{id: id})
				i = len(cards) - 1
			}
			cards[i].devices = append(cards[i].devices, d)
		}
	}
	return cards
}

// listGPUProfiles returns the endpoint that lists the GPUs whose mode fits.
func (api *API) listGPUProfiles(fits func(mode string) bool, view func(gpuCard) Object, listing Listing) Endpoint {
	return func(r *Request) (*Response, error) {
		id := strings.ToLower(r.PathValue("clusterExtId"))
		api.Mu.Lock()
		pe := api.PrismElementByUUID(id)
		if pe == nil {
			api.Mu.Unlock()
			return nil, NoSuchEntity("CLU-10202", "Cluster", id)
		}
		items := []Object{}
		for _, card := range api.gpuCards(pe) {
			if fits(card.devices[0].Mode) {
				items = append(items, view(card))
			}
		}
		api.Mu.Unlock()
		return listing.Respond(r, items)
	}
}
