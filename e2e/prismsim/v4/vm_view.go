package v4

import (
	"maps"
	"slices"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

const vmTypes = "vmm.v4.ahv.config."

func vmRef(kind, id string) Object { return Typed(vmTypes+kind+"Reference", Object{"extId": id}) }

// vmCore returns the properties of a VM that support filtering and sorting. The caller must hold the mutex.
func (api *API) vmCore(m *model.VM) Object {
	now := m.Current()
	res := now.Resources
	out := Typed(vmTypes+"Vm", Object{
		"extId": m.UUID, "name": now.Name, "biosUuid": m.BIOS, "cluster": vmRef("Cluster", m.PrismElement.UUID),
		"numSockets": *res.NumSockets, "numCoresPerSocket": *res.NumVCPUsPerSocket, "numThreadsPerCore": *res.NumThreadsPerCore,
		"numNumaNodes": res.VnumaConfig.NumVnumaNodes, "memorySizeBytes": *res.MemorySizeMiB * wire.Mebibyte,
		"hardwareClockTimezone": res.HardwareClockTimezone, "machineType": res.MachineType,
		"isVcpuHardPinningEnabled": *res.IsVCPUHardPinned, "isCpuPassthroughEnabled": *res.EnableCPUPassthrough,
		"isVgaConsoleEnabled": *res.VGAConsoleEnabled, "isMemoryOvercommitEnabled": false, "isGpuConsoleEnabled": false,
		"isAgentVm": false, "isCpuHotplugEnabled": true, "isScsiControllerEnabled": true, "isLiveMigrateCapable": len(m.GPUs) == 0,
	})
	showPower(m, out)
	if ids := api.CategoryIDs(m.Categories); len(ids) > 0 {
		out["categories"] = references(vmTypes+"CategoryReference", ids...)
	}
	if m.Host != nil {
		out["host"] = vmRef("Host", m.Host.UUID)
	}
	return out
}

// vmObject returns a VM in the format of the requested version. Projects and nicNetworkInfo exist since v4.1, and
// custom attributes exist since v4.2. The caller must hold the mutex.
func (api *API) vmObject(m *model.VM, r *Request) Object {
	now := m.Current()
	out := api.vmCore(m)
	maps.Copy(out, Object{
		"generationUuid": inventory.DeriveUUID("generation", m.UUID), "createTime": timeText(m.Created), "updateTime": timeText(m.Updated),
		"protectionType": "UNPROTECTED", "isBrandingEnabled": true, "isCrossClusterMigrationInProgress": false,
		"vtpmConfig":    Typed(vmTypes+"VtpmConfig", Object{"isVtpmEnabled": now.Resources.VTPMConfig.Enabled}),
		"ownershipInfo": Typed(vmTypes+"OwnershipInfo", Object{"owner": vmRef("Owner", api.OwnerUUID)}),
		"nics":          nicObjects(m, r.Minor), "links": SelfLinks(r, "ahv/config/vms/"+m.UUID),
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
	showDisks(m, out)
	showBoot(m, out)
	return out
}

// showPower writes the power state to out. If ShowPowerState has set a power state, showPower writes that state instead
// of the real one.
func showPower(m *model.VM, out Object) {
	state := m.Power
	if m.V4.Shown != nil {
		state = *m.V4.Shown
	}
	if state != "" {
		out["powerState"] = state
	}
}

func showBoot(m *model.VM, out Object) {
	order := []string{}
	order = append(order, m.Current().Resources.BootConfig.OrderList...)
	boot := Typed(vmTypes+"LegacyBoot", Object{"bootOrder": order})
	if m.Current().Resources.BootConfig.BootType != "LEGACY" {
		boot = Typed(vmTypes+"UefiBoot", Object{"isSecureBootEnabled": m.Current().Resources.BootConfig.BootType == "SECURE_BOOT", "bootOrder": order})
	}
	out["bootConfig"], out["$bootConfigItemDiscriminator"] = boot, boot[keyType]
}

func showDisks(m *model.VM, out Object) {
	disks, roms := []Object{}, []Object{}
	for _, d := range m.Current().Resources.DiskList {
		address := wire.OrZero(wire.OrZero(d.Properties).Address)
		place := Object{"busType": d.Adapter(), "index": wire.OrZero(address.DeviceIndex)}
		backing := Typed(vmTypes+"VmDisk", Object{"diskExtId": d.UUID, "diskSizeBytes": wire.OrZero(d.SizeMiB) * wire.Mebibyte, "isMigrationInProgress": false})
		if c := wire.OrZero(d.StorageConfig).Container; c != nil {
			backing["storageContainer"] = Typed(vmTypes+"VmDiskContainerReference", Object{"extId": c.UUID})
		}
		if d.DeviceType() == "CDROM" {
			roms = append(roms, Typed(vmTypes+"CdRom", Object{
				"extId": d.UUID, "diskAddress": Typed(vmTypes+"CdRomAddress", place), "backingInfo": backing,
			}))
			continue
		}
		if g := d.VolumeGroup; !g.IsEmpty() {
			backing = Typed(vmTypes+"ADSFVolumeGroupReference", Object{"volumeGroupExtId": g.UUID})
		}
		disks = append(disks, Typed(vmTypes+"Disk", Object{
			"extId": d.UUID, "diskAddress": Typed(vmTypes+"DiskAddress", place), "backingInfo": backing, "$backingInfoItemDiscriminator": backing[keyType],
		}))
	}
	if len(disks) > 0 {
		out["disks"] = disks
	}
	if len(roms) > 0 {
		out["cdRoms"] = roms
	}
}

// nicObjects returns the NICs in their order. v4.0 has networkInfo and backingInfo. Later versions also have
// nicNetworkInfo and nicBackingInfo. Only nicNetworkInfo contains IPv6 addresses.
func nicObjects(m *model.VM, minor int) []Object {
	out := []Object{}
	for _, n := range m.LiveNICs() {
		device := Object{"macAddress": n.MACAddress, "isConnected": *n.IsConnected, "numQueues": *n.NumQueues, "model": "VIRTIO"}
		info, v6 := networkInfo(m, n)
		nic := Typed(vmTypes+"Nic", Object{
			"extId": n.UUID, "backingInfo": Typed(vmTypes+"EmulatedNic", maps.Clone(device)), "networkInfo": Typed(vmTypes+"NicNetworkInfo", maps.Clone(info)),
		})
		if minor >= 1 {
			if len(v6) > 0 {
				info["ipv6Info"] = Typed(vmTypes+"Ipv6Info", Object{"learnedIpv6Addresses": v6})
			}
			network, backing := Typed(vmTypes+"VirtualEthernetNicNetworkInfo", info), Typed(vmTypes+"VirtualEthernetNic", device)
			nic["nicNetworkInfo"], nic["$nicNetworkInfoItemDiscriminator"] = network, network[keyType]
			nic["nicBackingInfo"], nic["$nicBackingInfoItemDiscriminator"] = backing, backing[keyType]
		}
		out = append(out, nic)
	}
	return out
}

// networkInfo returns the network information of a NIC and the learned IPv6 addresses of the NIC.
func networkInfo(m *model.VM, n wire.NIC) (info Object, v6 []Object) {
	info = Object{
		"nicType": n.NICType, "subnet": vmRef("Subnet", n.SubnetReference.UUID), "vlanMode": n.VLANMode, "trunkedVlans": n.TrunkedVLANs,
		"shouldAllowUnknownMacs": false,
	}
	config, learned := Object{}, []Object{}
	for _, endpoint := range n.IPEndpoints {
		address := ipam.Address(endpoint.IP)
		switch {
		case endpoint.Type != wire.TypeLearned:
			config["ipAddress"] = singleAddress(endpoint.IP)
		case address.Is4():
			learned = append(learned, singleAddress(endpoint.IP))
		default:
			v6 = append(v6, singleAddress(endpoint.IP))
		}
	}
	secondary := []Object{}
	for _, address := range m.V4.Secondary[n.UUID] {
		secondary = append(secondary, singleAddress(address))
	}
	if len(secondary) > 0 {
		config["secondaryIpAddressList"] = secondary
	}
	if len(config) > 0 {
		config["shouldAssignIp"] = true
		info["ipv4Config"] = Typed(vmTypes+"Ipv4Config", config)
	}
	if len(learned) > 0 {
		info["ipv4Info"] = Typed(vmTypes+"Ipv4Info", Object{"learnedIpAddresses": learned})
	}
	return info, v6
}

// singleAddress returns an IPv4 address with the prefix length 32, or an IPv6 address with the prefix length 128.
func singleAddress(text string) Object {
	address := ipam.Address(text)
	name := "common.v1.config.IPv6Address"
	if address.Is4() {
		name = "common.v1.config.IPv4Address"
	}
	return Typed(name, Object{"value": text, "prefixLength": address.BitLen()})
}
