package prismsim

import (
	"maps"
	"slices"
)

const vmTypes = "vmm.v4.ahv.config."

func vmRef(kind, id string) object { return typed(vmTypes+kind+"Reference", object{"extId": id}) }

// vmCore gives what VMs can be filtered and sorted by. The caller holds the mutex.
func (api *v4API) vmCore(m *machine) object {
	now := m.current()
	res := now.Resources
	out := typed(vmTypes+"Vm", object{
		"extId": m.uuid, "name": now.Name, "biosUuid": m.bios, "cluster": vmRef("Cluster", m.element.UUID),
		"numSockets": *res.NumSockets, "numCoresPerSocket": *res.NumVCPUsPerSocket, "numThreadsPerCore": *res.NumThreadsPerCore,
		"numNumaNodes": res.VnumaConfig.NumVnumaNodes, "memorySizeBytes": *res.MemorySizeMiB * mebibyte,
		"hardwareClockTimezone": res.HardwareClockTimezone, "machineType": res.MachineType,
		"isVcpuHardPinningEnabled": *res.IsVCPUHardPinned, "isCpuPassthroughEnabled": *res.EnableCPUPassthrough,
		"isVgaConsoleEnabled": *res.VGAConsoleEnabled, "isMemoryOvercommitEnabled": false, "isGpuConsoleEnabled": false,
		"isAgentVm": false, "isCpuHotplugEnabled": true, "isScsiControllerEnabled": true, "isLiveMigrateCapable": len(m.gpus) == 0,
	})
	showPower(m, out)
	if ids := api.categoryIDs(m.categories); len(ids) > 0 {
		out["categories"] = references(vmTypes+"CategoryReference", ids...)
	}
	if m.host != nil {
		out["host"] = vmRef("Host", m.host.UUID)
	}
	return out
}

// vmObject gives a VM as the version that was asked for shows it: projects and nicNetworkInfo since v4.1, custom attributes
// since v4.2. The caller holds the mutex.
func (api *v4API) vmObject(m *machine, r *v4Request) object {
	now := m.current()
	out := api.vmCore(m)
	maps.Copy(out, object{
		"generationUuid": deriveUUID("generation", m.uuid), "createTime": v4Time(m.created), "updateTime": v4Time(m.updated),
		"protectionType": "UNPROTECTED", "isBrandingEnabled": true, "isCrossClusterMigrationInProgress": false,
		"vtpmConfig":    typed(vmTypes+"VtpmConfig", object{"isVtpmEnabled": now.Resources.VTPMConfig.Enabled}),
		"ownershipInfo": typed(vmTypes+"OwnershipInfo", object{"owner": vmRef("Owner", api.ownerUUID)}),
		"nics":          nicObjects(m, r.minor), "links": selfLinks(r, "ahv/config/vms/"+m.uuid),
	})
	if now.Description != "" {
		out["description"] = now.Description
	}
	if r.minor >= 1 {
		out["project"] = vmRef("Project", m.project)
	}
	if r.minor >= 2 && len(m.v4.attributes) > 0 {
		out["customAttributes"] = slices.Clone(m.v4.attributes)
	}
	showDisks(m, out)
	showBoot(m, out)
	return out
}

// showPower gives the power state, unless a test asked for another one or for none.
func showPower(m *machine, out object) {
	state := m.power
	if m.v4.shown != nil {
		state = *m.v4.shown
	}
	if state != "" {
		out["powerState"] = state
	}
}

func showBoot(m *machine, out object) {
	order := []string{}
	order = append(order, m.current().Resources.BootConfig.OrderList...)
	boot := typed(vmTypes+"LegacyBoot", object{"bootOrder": order})
	if m.current().Resources.BootConfig.BootType != "LEGACY" {
		boot = typed(vmTypes+"UefiBoot", object{"isSecureBootEnabled": m.current().Resources.BootConfig.BootType == "SECURE_BOOT", "bootOrder": order})
	}
	out["bootConfig"], out["$bootConfigItemDiscriminator"] = boot, boot[keyType]
}

func showDisks(m *machine, out object) {
	disks, roms := []object{}, []object{}
	for _, d := range m.current().Resources.DiskList {
		address := orZero(orZero(d.Properties).Address)
		place := object{"busType": d.adapter(), "index": orZero(address.DeviceIndex)}
		backing := typed(vmTypes+"VmDisk", object{"diskExtId": d.UUID, "diskSizeBytes": orZero(d.SizeMiB) * mebibyte, "isMigrationInProgress": false})
		if c := orZero(d.StorageConfig).Container; c != nil {
			backing["storageContainer"] = typed(vmTypes+"VmDiskContainerReference", object{"extId": c.UUID})
		}
		if d.deviceType() == "CDROM" {
			roms = append(roms, typed(vmTypes+"CdRom", object{
				"extId": d.UUID, "diskAddress": typed(vmTypes+"CdRomAddress", place), "backingInfo": backing,
			}))
			continue
		}
		if g := d.VolumeGroup; !g.isEmpty() {
			backing = typed(vmTypes+"ADSFVolumeGroupReference", object{"volumeGroupExtId": g.UUID})
		}
		disks = append(disks, typed(vmTypes+"Disk", object{
			"extId": d.UUID, "diskAddress": typed(vmTypes+"DiskAddress", place), "backingInfo": backing, "$backingInfoItemDiscriminator": backing[keyType],
		}))
	}
	if len(disks) > 0 {
		out["disks"] = disks
	}
	if len(roms) > 0 {
		out["cdRoms"] = roms
	}
}

// nicObjects gives the NICs in their order. v4.0 has networkInfo and backingInfo only; later versions keep them, as deprecated,
// beside nicNetworkInfo and nicBackingInfo. Only nicNetworkInfo has IPv6 addresses.
func nicObjects(m *machine, minor int) []object {
	out := []object{}
	for _, n := range m.liveNICs() {
		device := object{"macAddress": n.MACAddress, "isConnected": *n.IsConnected, "numQueues": *n.NumQueues, "model": "VIRTIO"}
		info, v6 := networkInfo(m, n)
		nic := typed(vmTypes+"Nic", object{
			"extId": n.UUID, "backingInfo": typed(vmTypes+"EmulatedNic", maps.Clone(device)), "networkInfo": typed(vmTypes+"NicNetworkInfo", maps.Clone(info)),
		})
		if minor >= 1 {
			if len(v6) > 0 {
				info["ipv6Info"] = typed(vmTypes+"Ipv6Info", object{"learnedIpv6Addresses": v6})
			}
			network, backing := typed(vmTypes+"VirtualEthernetNicNetworkInfo", info), typed(vmTypes+"VirtualEthernetNic", device)
			nic["nicNetworkInfo"], nic["$nicNetworkInfoItemDiscriminator"] = network, network[keyType]
			nic["nicBackingInfo"], nic["$nicBackingInfoItemDiscriminator"] = backing, backing[keyType]
		}
		out = append(out, nic)
	}
	return out
}

// networkInfo gives what the network side of a NIC shows, and its learned IPv6 addresses.
func networkInfo(m *machine, n nic) (info object, v6 []object) {
	info = object{
		"nicType": n.NICType, "subnet": vmRef("Subnet", n.SubnetReference.UUID), "vlanMode": n.VLANMode, "trunkedVlans": n.TrunkedVLANs,
		"shouldAllowUnknownMacs": false,
	}
	config, learned := object{}, []object{}
	for _, endpoint := range n.IPEndpoints {
		address := mustAddress(endpoint.IP)
		switch {
		case endpoint.Type != typeLearned:
			config["ipAddress"] = v4Address(endpoint.IP)
		case address.Is4():
			learned = append(learned, v4Address(endpoint.IP))
		default:
			v6 = append(v6, v4Address(endpoint.IP))
		}
	}
	secondary := []object{}
	for _, address := range m.v4.secondary[n.UUID] {
		secondary = append(secondary, v4Address(address))
	}
	if len(secondary) > 0 {
		config["secondaryIpAddressList"] = secondary
	}
	if len(config) > 0 {
		config["shouldAssignIp"] = true
		info["ipv4Config"] = typed(vmTypes+"Ipv4Config", config)
	}
	if len(learned) > 0 {
		info["ipv4Info"] = typed(vmTypes+"Ipv4Info", object{"learnedIpAddresses": learned})
	}
	return info, v6
}

// v4Address gives an address of either family with the prefix length of a single address.
func v4Address(text string) object {
	address := mustAddress(text)
	name := "common.v1.config.IPv6Address"
	if address.Is4() {
		name = "common.v1.config.IPv4Address"
	}
	return typed(name, object{"value": text, "prefixLength": address.BitLen()})
}
