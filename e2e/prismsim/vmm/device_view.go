package vmm

import (
	"cmp"
	"fmt"
	"maps"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/ipam"
	"github.com/capnt/capnt/e2e/prismsim/model"
	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// diskObjects returns the disks and the attached volume groups of a VM.
func diskObjects(m *model.VM, _ int) []v4.Object {
	out := []v4.Object{}
	for _, d := range m.Current().Resources.DiskList {
		if d.DeviceType() == "CDROM" {
			continue
		}
		backing := backingObject(d)
		if g := d.VolumeGroup; !g.IsEmpty() {
			backing = v4.Typed(vmTypes+"ADSFVolumeGroupReference", v4.Object{"volumeGroupExtId": g.UUID})
		}
		out = append(out, v4.Typed(vmTypes+"Disk", v4.Object{
			"extId": d.UUID, "diskAddress": addressObject("DiskAddress", d), "backingInfo": backing, "$backingInfoItemDiscriminator": backing[v4.KeyType],
		}))
	}
	return out
}

// cdromObjects returns the CD-ROMs of a VM. The CD-ROM with the customization data has a type of its own.
func cdromObjects(m *model.VM, _ int) []v4.Object {
	out := []v4.Object{}
	for _, d := range m.Current().Resources.DiskList {
		if d.DeviceType() != "CDROM" {
			continue
		}
		cdrom := v4.Typed(vmTypes+"CdRom", v4.Object{"extId": d.UUID, "diskAddress": addressObject("CdRomAddress", d)})
		if d.Bytes() > 0 {
			cdrom["backingInfo"], cdrom["isoType"] = backingObject(d), "OTHER"
		}
		if d.IsCloudInit() {
			cdrom["isoType"] = "GUEST_CUSTOMIZATION"
		}
		out = append(out, cdrom)
	}
	return out
}

func addressObject(name string, d wire.Disk) v4.Object {
	index := wire.OrZero(wire.OrZero(wire.OrZero(d.Properties).Address).DeviceIndex)
	return v4.Typed(vmTypes+name, v4.Object{"busType": d.Adapter(), "index": index})
}

// backingObject returns size, storage container and image of a disk or a CD-ROM.
func backingObject(d wire.Disk) v4.Object {
	out := v4.Typed(vmTypes+"VmDisk", v4.Object{"diskExtId": d.UUID, "diskSizeBytes": d.Bytes(), "isMigrationInProgress": false})
	config := wire.OrZero(d.StorageConfig)
	if c := config.Container; c != nil {
		out["storageContainer"] = v4.Typed(vmTypes+"VmDiskContainerReference", v4.Object{"extId": c.UUID})
		out["storageConfig"] = v4.Typed(vmTypes+"VmDiskStorageConfig", v4.Object{"isFlashModeEnabled": config.FlashMode == "ENABLED"})
	}
	if source := d.DataSource; !source.IsEmpty() && source.Kind == "image" {
		image := v4.Typed(vmTypes+"ImageReference", v4.Object{"imageExtId": source.UUID})
		out["dataSource"] = v4.Typed(vmTypes+"DataSource", v4.Object{"reference": image, "$referenceItemDiscriminator": image[v4.KeyType]})
	}
	return out
}

// gpuObjects returns the GPUs of a VM. Only a VM that is on has a device of a host for each GPU.
func gpuObjects(m *model.VM, _ int) []v4.Object {
	out := []v4.Object{}
	for i, g := range m.Current().Resources.GPUList {
		gpu := v4.Typed(vmTypes+"Gpu", v4.Object{"extId": gpuID(m, i), "mode": g.Mode, "vendor": g.Vendor, "deviceId": wire.OrZero(g.DeviceID)})
		if i < len(m.GPUs) {
			attached := m.GPUs[i]
			gpu["name"], gpu["fraction"] = attached.Name, wire.OrZero(attached.Fraction)
			gpu["frameBufferSizeBytes"] = wire.OrZero(attached.FrameBufferSizeMiB) * wire.Mebibyte
			gpu["pciAddress"] = pciObject(attached.PCIAddress)
		}
		out = append(out, gpu)
	}
	return out
}

// gpuID returns the ID of a GPU. If the GPU was not added with this API, its ID depends on its index.
func gpuID(m *model.VM, index int) string {
	return cmp.Or(m.Current().Resources.GPUList[index].UUID, inventory.DeriveUUID("gpu", fmt.Sprintf("%s/%d", m.UUID, index)))
}

// pciObject returns a PCI address such as 0:3b:0:0.
func pciObject(address string) v4.Object {
	var segment, bus, device, function int
	_, _ = fmt.Sscanf(address, "%x:%x:%x:%x", &segment, &bus, &device, &function)
	return v4.Typed(vmTypes+"SBDF", v4.Object{"segment": segment, "bus": bus, "device": device, "func": function})
}

// serialPortObjects returns the serial ports of a VM.
func serialPortObjects(m *model.VM, _ int) []v4.Object {
	out := []v4.Object{}
	for _, p := range m.Current().Resources.SerialPortList {
		out = append(out, v4.Typed(vmTypes+"SerialPort", v4.Object{"extId": serialPortID(m, p.Index), "index": p.Index, "isConnected": p.IsConnected}))
	}
	return out
}

func serialPortID(m *model.VM, index int64) string {
	return inventory.DeriveUUID("serial_port", fmt.Sprintf("%s/%d", m.UUID, index))
}

// nicObjects returns the NICs in their order. v4.0 has networkInfo and backingInfo. Later versions also have
// nicNetworkInfo and nicBackingInfo. Only nicNetworkInfo contains IPv6 addresses.
func nicObjects(m *model.VM, minor int) []v4.Object {
	out := []v4.Object{}
	for _, n := range m.LiveNICs() {
		device := v4.Object{"macAddress": n.MACAddress, "isConnected": *n.IsConnected, "numQueues": *n.NumQueues, "model": cmp.Or(n.Model, "VIRTIO")}
		info, v6 := networkInfo(m, n)
		nic := v4.Typed(vmTypes+"Nic", v4.Object{
			"extId": n.UUID, "backingInfo": v4.Typed(vmTypes+"EmulatedNic", maps.Clone(device)), "networkInfo": v4.Typed(vmTypes+"NicNetworkInfo", maps.Clone(info)),
		})
		if minor >= 1 {
			if len(v6) > 0 {
				info["ipv6Info"] = v4.Typed(vmTypes+"Ipv6Info", v4.Object{"learnedIpv6Addresses": v6})
			}
			network, backing := v4.Typed(vmTypes+"VirtualEthernetNicNetworkInfo", info), v4.Typed(vmTypes+"VirtualEthernetNic", device)
			nic["nicNetworkInfo"], nic["$nicNetworkInfoItemDiscriminator"] = network, network[v4.KeyType]
			nic["nicBackingInfo"], nic["$nicBackingInfoItemDiscriminator"] = backing, backing[v4.KeyType]
		}
		out = append(out, nic)
	}
	return out
}

// networkInfo returns the network information of a NIC and the learned IPv6 addresses of the NIC.
func networkInfo(m *model.VM, n wire.NIC) (info v4.Object, v6 []v4.Object) {
	info = v4.Object{
		"nicType": n.NICType, "subnet": vmRef("Subnet", n.SubnetReference.UUID), "vlanMode": n.VLANMode, "trunkedVlans": n.TrunkedVLANs,
		"shouldAllowUnknownMacs": false,
	}
	config, learned := v4.Object{}, []v4.Object{}
	for _, endpoint := range n.IPEndpoints {
		address := ipam.Address(endpoint.IP)
		switch {
		case endpoint.Type != wire.TypeLearned:
			config["ipAddress"] = v4.SingleAddress(endpoint.IP)
		case address.Is4():
			learned = append(learned, v4.SingleAddress(endpoint.IP))
		default:
			v6 = append(v6, v4.SingleAddress(endpoint.IP))
		}
	}
	secondary := []v4.Object{}
	for _, address := range m.V4.Secondary[n.UUID] {
		secondary = append(secondary, v4.SingleAddress(address))
	}
	if len(secondary) > 0 {
		config["secondaryIpAddressList"] = secondary
	}
	if len(config) > 0 {
		config["shouldAssignIp"] = true
		info["ipv4Config"] = v4.Typed(vmTypes+"Ipv4Config", config)
	}
	if len(learned) > 0 {
		info["ipv4Info"] = v4.Typed(vmTypes+"Ipv4Info", v4.Object{"learnedIpAddresses": learned})
	}
	return info, v6
}
