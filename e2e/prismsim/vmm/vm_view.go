package vmm

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func vmRef(kind, id string) v4.Object {
	return v4.Typed(vmTypes+kind+"Reference", v4.Object{"extId": id})
}

// vmCore returns the properties of a VM that support filtering and sorting. The caller must hold the mutex.
func (api *API) vmCore(m *model.VM) v4.Object {
	now := m.Current()
	res := now.Resources
	out := v4.Typed(vmTypes+"Vm", v4.Object{
		"extId": m.UUID, "name": now.Name, "biosUuid": m.BIOS, "cluster": vmRef("Cluster", m.PrismElement.UUID),
		"numSockets": *res.NumSockets, "numCoresPerSocket": *res.NumVCPUsPerSocket, "numThreadsPerCore": *res.NumThreadsPerCore,
		"numNumaNodes": res.VnumaConfig.NumVnumaNodes, "memorySizeBytes": *res.MemorySizeMiB * wire.Mebibyte,
		"hardwareClockTimezone": res.HardwareClockTimezone, "machineType": res.MachineType,
		"isVcpuHardPinningEnabled": *res.IsVCPUHardPinned, "isCpuPassthroughEnabled": *res.EnableCPUPassthrough,
		"isVgaConsoleEnabled": *res.VGAConsoleEnabled, "isMemoryOvercommitEnabled": false, "isGpuConsoleEnabled": false,
		"isAgentVm": false, "isCpuHotplugEnabled": true, "isScsiControllerEnabled": true, "isLiveMigrateCapable": len(m.GPUs) == 0,
	})
	maps.Copy(out, m.V4.Further)
	showPower(m, out)
	if ids := api.CategoryIDs(m.Categories); len(ids) > 0 {
		out["categories"] = v4.References(vmTypes+"CategoryReference", ids...)
	}
	if m.Host != nil {
		out["host"] = vmRef("Host", m.Host.UUID)
	}
	return out
}

// vmObject returns a VM in the format of the requested version. Projects and nicNetworkInfo exist since v4.1, and
// custom attributes exist since v4.2. The caller must hold the mutex.
func (api *API) vmObject(m *model.VM, r *v4.Request) v4.Object {
	now := m.Current()
	out := api.vmCore(m)
	maps.Copy(out, v4.Object{
		"generationUuid": inventory.DeriveUUID("generation", m.UUID), "createTime": v4.TimeText(m.Created), "updateTime": v4.TimeText(m.Updated),
		"protectionType": "UNPROTECTED", "isBrandingEnabled": true, "isCrossClusterMigrationInProgress": false,
		"vtpmConfig":    v4.Typed(vmTypes+"VtpmConfig", v4.Object{"isVtpmEnabled": now.Resources.VTPMConfig.Enabled}),
		"ownershipInfo": v4.Typed(vmTypes+"OwnershipInfo", v4.Object{"owner": vmRef("Owner", api.OwnerUUID)}),
		"nics":          nicObjects(m, r.Minor), "links": v4.SelfLinks(r, "ahv/config/vms/"+m.UUID),
	})
	if now.Description != "" {
		out["description"] = now.Description
	}
	if r.Minor >= 1 {
		out["project"] = vmRef("Project", m.Project)
	}
	if r.Minor >= 2 && len(m.V4.Attributes) > 0 {
		out["customAttributes"] = slices.Clone(m.V4.Attributes)
	}
	for name, list := range map[string][]v4.Object{
		"disks": diskObjects(m, r.Minor), "cdRoms": cdromObjects(m, r.Minor), "gpus": gpuObjects(m, r.Minor), "serialPorts": serialPortObjects(m, r.Minor),
	} {
		if len(list) > 0 {
			out[name] = list
		}
	}
	showBoot(m, out)
	if customization := now.Resources.GuestCustomization; r.Rules.ShowGuestCustomization && customization != nil && customization.CloudInit != nil {
		out["guestCustomization"] = customizationObject(customization.CloudInit)
	}
	maps.Copy(out, m.V4.Further)
	return out
}

// showPower writes the power state to out. If ShowPowerState has set a power state, showPower writes that state instead
// of the real one.
func showPower(m *model.VM, out v4.Object) {
	state := m.Power
	if m.V4.Shown != nil {
		state = *m.V4.Shown
	}
	if state != "" {
		out["powerState"] = state
	}
}

func showBoot(m *model.VM, out v4.Object) {
	config := m.Current().Resources.BootConfig
	order := append([]string{}, config.OrderList...)
	boot := v4.Typed(vmTypes+"LegacyBoot", v4.Object{"bootOrder": order})
	if config.BootType != "LEGACY" {
		boot = v4.Typed(vmTypes+"UefiBoot", v4.Object{"isSecureBootEnabled": config.BootType == "SECURE_BOOT", "bootOrder": order})
	}
	var device bootDevice
	if err := json.Unmarshal(config.Device, &device); err == nil {
		shown := v4.Typed(vmTypes+"BootDeviceNic", v4.Object{"macAddress": device.MACAddress})
		if a := device.DiskAddress; a != nil {
			address := v4.Typed(vmTypes+"DiskAddress", v4.Object{"busType": a.AdapterType, "index": wire.OrZero(a.DeviceIndex)})
			shown = v4.Typed(vmTypes+"BootDeviceDisk", v4.Object{"diskAddress": address})
		}
		boot["bootDevice"], boot["$bootDeviceItemDiscriminator"] = shown, shown[v4.KeyType]
	}
	out["bootConfig"], out["$bootConfigItemDiscriminator"] = boot, boot[v4.KeyType]
}

// customizationObject returns cloud-init data as the guest customization of a VM.
func customizationObject(data *wire.CloudInit) v4.Object {
	script := v4.Typed(vmTypes+"Userdata", v4.Object{"value": data.UserData})
	config := v4.Typed(vmTypes+"CloudInit", v4.Object{
		"datasourceType": "CONFIG_DRIVE_V2", "metadata": data.MetaData, "cloudInitScript": script, "$cloudInitScriptItemDiscriminator": script[v4.KeyType],
	})
	return v4.Typed(vmTypes+"GuestCustomizationParams", v4.Object{"config": config, "$configItemDiscriminator": config[v4.KeyType]})
}
