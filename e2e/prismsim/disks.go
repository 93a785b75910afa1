package prismsim

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

const (
	mebibyte = 1 << 20
	// cloudInitISO is the size in bytes of the CD-ROM that carries cloud-init data, and cloudInitIndex its place on IDE.
	cloudInitISO   = 389120
	cloudInitIndex = 3
)

// mebibytes rounds up.
func mebibytes(bytes int64) int64 { return (bytes + mebibyte - 1) / mebibyte }

func (d disk) deviceType() string {
	if t := orZero(d.Properties).DeviceType; t != "" {
		return t
	}
	if !d.VolumeGroup.isEmpty() {
		return deviceVolumeGroup
	}
	return "DISK"
}

func (d disk) adapter() string {
	if a := orZero(orZero(d.Properties).Address).AdapterType; a != "" {
		return a
	}
	if d.deviceType() == "CDROM" {
		return "IDE"
	}
	return "SCSI"
}

// slot writes a device address as Prism does: scsi.0.
func (d disk) slot(index int64) string {
	return fmt.Sprintf("%s.%d", strings.ToLower(d.adapter()), index)
}

func (m *machine) liveDisk(id string) *disk {
	if m.live.Resources == nil {
		return nil
	}
	return m.live.Resources.diskByUUID(id)
}

func (res *vmResources) diskByUUID(id string) *disk {
	for i := range res.DiskList {
		if res.DiskList[i].UUID == id {
			return &res.DiskList[i]
		}
	}
	return nil
}

// realiseDisks gives every disk UUID, address, both sizes and a storage container. A new VM with guest customization
// gets the CD-ROM that carries it.
func (e *estate) realiseDisks(m *machine, res, old *vmResources) *taskError {
	if old == nil && res.GuestCustomization != nil {
		res.DiskList = append(res.DiskList, disk{
			Properties: &deviceProperties{DeviceType: "CDROM", Address: &diskAddress{AdapterType: "IDE", DeviceIndex: freeIDE(res.DiskList)}},
			SizeBytes:  new(int64(cloudInitISO)), SizeMiB: new(mebibytes(cloudInitISO)),
		})
	}
	for i := range res.DiskList {
		d := &res.DiskList[i]
		if before := old.diskOf(d.UUID); before != nil {
			if failed := inherit(d, before, m.uuid); failed != nil {
				return failed
			}
			continue
		}
		if failed := e.realiseDisk(m, d); failed != nil {
			return failed
		}
	}
	placeDisks(res.DiskList)
	return nil
}

// diskOf is diskByUUID for resources that may be nil.
func (res *vmResources) diskOf(id string) *disk {
	if res == nil || id == "" {
		return nil
	}
	return res.diskByUUID(id)
}

// freeIDE gives IDE.3, or the highest free index below it when a disk sits there.
func freeIDE(disks []disk) *int64 {
	taken := map[int64]bool{}
	for _, d := range disks {
		if address := orZero(orZero(d.Properties).Address); d.adapter() == "IDE" && address.DeviceIndex != nil {
			taken[*address.DeviceIndex] = true
		}
	}
	index := int64(cloudInitIndex)
	for taken[index] && index > 0 {
		index--
	}
	return &index
}

// inherit completes an existing disk from what it was. A disk can grow, never shrink; its source stays.
func inherit(d *disk, before *disk, vmUUID string) *taskError {
	size := d.bytes()
	if d.deviceType() == "CDROM" || size == 0 {
		size = before.bytes()
	}
	if size < before.bytes() {
		// Text of a real task, terraform-provider-nutanix issue 131.
		return &taskError{code: "INTERNAL_ERROR", detail: fmt.Sprintf(
			"INTERNAL_ERROR: NotSupported: Can't shrink disk at %s of VM %s.", before.slot(orZero(orZero(orZero(before.Properties).Address).DeviceIndex)), vmUUID)}
	}
	if before.SizeBytes != nil {
		d.setBytes(size)
	}
	if d.Properties == nil || d.Properties.Address == nil {
		d.Properties = before.Properties
	}
	if d.StorageConfig == nil || d.StorageConfig.Container.isEmpty() {
		d.StorageConfig = before.StorageConfig
	}
	d.DataSource, d.VolumeGroup = before.DataSource, before.VolumeGroup
	return nil
}

// bytes gives the size, 0 when none is set.
func (d *disk) bytes() int64 {
	if d.SizeBytes != nil {
		return *d.SizeBytes
	}
	return orZero(d.SizeMiB) * mebibyte
}

func (d *disk) setBytes(size int64) {
	d.SizeBytes, d.SizeMiB = new(size), new(mebibytes(size))
}

func (e *estate) realiseDisk(m *machine, d *disk) *taskError {
	d.UUID = uuid.NewString()
	size := d.bytes()
	if src := d.DataSource; !src.isEmpty() && src.Kind == "image" {
		image := e.imageByUUID(src.UUID)
		if image == nil {
			return &taskError{code: reasonNotFound, detail: "ENTITY_NOT_FOUND: image " + src.UUID + " does not exist."}
		}
		d.DataSource = &reference{Kind: "image", UUID: image.UUID}
		size = max(size, image.Size.Value())
	}
	if d.DataSource.isEmpty() {
		d.DataSource = nil
	}
	if g := e.volumeGroupByUUID(orZero(d.VolumeGroup).UUID); g != nil {
		d.setBytes(g.sizeMiB * mebibyte)
		d.StorageConfig = nil
		return nil
	}
	if size == 0 { // an empty CD-ROM drive
		return nil
	}
	d.setBytes(size)
	container := containerByUUID(m.element, orZero(orZero(d.StorageConfig).Container).UUID)
	if container == nil {
		container = &m.element.StorageContainers[0]
	}
	d.StorageConfig = &storageConfig{
		FlashMode: orZero(d.StorageConfig).FlashMode,
		Container: &reference{Kind: "storage_container", Name: container.Name, UUID: container.UUID},
	}
	return nil
}

// placeDisks gives every disk without an address the lowest free index of its adapter.
func placeDisks(disks []disk) {
	taken := map[string]bool{}
	for _, d := range disks {
		if index := orZero(orZero(d.Properties).Address).DeviceIndex; index != nil {
			taken[d.slot(*index)] = true
		}
	}
	for i := range disks {
		d := &disks[i]
		index := orZero(orZero(d.Properties).Address).DeviceIndex
		if index == nil {
			index = new(int64)
			for taken[d.slot(*index)] {
				*index++
			}
			taken[d.slot(*index)] = true
		}
		d.Properties = &deviceProperties{DeviceType: d.deviceType(), Address: &diskAddress{AdapterType: d.adapter(), DeviceIndex: index}}
	}
}
