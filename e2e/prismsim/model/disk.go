package model

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/wire"
)

func (m *VM) liveDisk(id string) *wire.Disk {
	if m.Live.Resources == nil {
		return nil
	}
	return m.Live.Resources.DiskByUUID(id)
}

// applyDisks sets the UUID, device address, sizes and storage container of every disk. A new VM with guest
// customization gets an additional CD-ROM that contains the customization data.
func (pc *Central) applyDisks(m *VM, res, old *wire.VMResources) *TaskError {
	if old == nil && res.GuestCustomization != nil {
		res.DiskList = append(res.DiskList, wire.Disk{
			Properties: &wire.DeviceProperties{DeviceType: "CDROM", Address: &wire.DiskAddress{AdapterType: "IDE", DeviceIndex: freeIDE(res.DiskList)}},
			SizeBytes:  new(int64(wire.CloudInitISO)), SizeMiB: new(wire.Mebibytes(wire.CloudInitISO)),
		})
	}
	for i := range res.DiskList {
		d := &res.DiskList[i]
		if before := old.DiskOf(d.UUID); before != nil {
			if failed := inherit(d, before, m.UUID); failed != nil {
				return failed
			}
			continue
		}
		if failed := pc.createDisk(m, d); failed != nil {
			return failed
		}
	}
	placeDisks(res.DiskList)
	return nil
}

// freeIDE returns the highest free index of the IDE adapter. The highest possible index is 3.
func freeIDE(disks []wire.Disk) *int64 {
	taken := map[int64]bool{}
	for _, d := range disks {
		if address := wire.OrZero(wire.OrZero(d.Properties).Address); d.Adapter() == "IDE" && address.DeviceIndex != nil {
			taken[*address.DeviceIndex] = true
		}
	}
	index := int64(wire.CloudInitIndex)
	for taken[index] && index > 0 {
		index--
	}
	return &index
}

// inherit completes the existing disk d with the fields that an update request omits. It returns an error if the disk
// would shrink.
func inherit(d *wire.Disk, before *wire.Disk, vmUUID string) *TaskError {
	size := d.Bytes()
	if d.DeviceType() == "CDROM" || size == 0 {
		size = before.Bytes()
	}
	if size < before.Bytes() {
		// terraform-provider-nutanix issue 131 contains this message from a real task.
		return &TaskError{Code: "INTERNAL_ERROR", Detail: fmt.Sprintf(
			"INTERNAL_ERROR: NotSupported: Can't shrink disk at %s of VM %s.", before.Slot(wire.OrZero(wire.OrZero(wire.OrZero(before.Properties).Address).DeviceIndex)), vmUUID)}
	}
	if before.SizeBytes != nil {
		d.SetBytes(size)
	}
	if d.Properties == nil || d.Properties.Address == nil {
		d.Properties = before.Properties
	}
	if d.StorageConfig == nil || d.StorageConfig.Container.IsEmpty() {
		d.StorageConfig = before.StorageConfig
	}
	d.DataSource, d.VolumeGroup = before.DataSource, before.VolumeGroup
	return nil
}

func (pc *Central) createDisk(m *VM, d *wire.Disk) *TaskError {
	d.UUID = uuid.NewString()
	size := d.Bytes()
	if src := d.DataSource; !src.IsEmpty() && src.Kind == "image" {
		image := pc.ImageByUUID(src.UUID)
		if image == nil {
			return &TaskError{Code: wire.ReasonNotFound, Detail: "ENTITY_NOT_FOUND: image " + src.UUID + " does not exist."}
		}
		d.DataSource = &wire.Reference{Kind: "image", UUID: image.UUID}
		size = max(size, image.Size.Value())
	}
	if d.DataSource.IsEmpty() {
		d.DataSource = nil
	}
	if g := pc.VolumeGroupByUUID(wire.OrZero(d.VolumeGroup).UUID); g != nil {
		d.SetBytes(g.sizeMiB * wire.Mebibyte)
		d.StorageConfig = nil
		return nil
	}
	if size == 0 { // an empty CD-ROM drive
		return nil
	}
	d.SetBytes(size)
	container := ContainerByUUID(m.PrismElement, wire.OrZero(wire.OrZero(d.StorageConfig).Container).UUID)
	if container == nil {
		container = &m.PrismElement.StorageContainers[0]
	}
	d.StorageConfig = &wire.StorageConfig{
		FlashMode: wire.OrZero(d.StorageConfig).FlashMode,
		Container: &wire.Reference{Kind: "storage_container", Name: container.Name, UUID: container.UUID},
	}
	return nil
}

// placeDisks assigns an index to every disk without a device address: the lowest free index of the disk's adapter.
func placeDisks(disks []wire.Disk) {
	taken := map[string]bool{}
	for _, d := range disks {
		if index := wire.OrZero(wire.OrZero(d.Properties).Address).DeviceIndex; index != nil {
			taken[d.Slot(*index)] = true
		}
	}
	for i := range disks {
		d := &disks[i]
		index := wire.OrZero(wire.OrZero(d.Properties).Address).DeviceIndex
		if index == nil {
			index = new(int64)
			for taken[d.Slot(*index)] {
				*index++
			}
			taken[d.Slot(*index)] = true
		}
		d.Properties = &wire.DeviceProperties{DeviceType: d.DeviceType(), Address: &wire.DiskAddress{AdapterType: d.Adapter(), DeviceIndex: index}}
	}
}
