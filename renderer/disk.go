package renderer

import (
	"fmt"
	"slices"
)

// Addresses that AssignDisks never assigns to a data disk: the address of the system disk and the address of the CD-ROM that Prism
// adds for cloud-init.
const (
	systemAdapter, systemIndex       = AdapterSCSI, 0
	cloudInitAdapter, cloudInitIndex = AdapterIDE, 3
)

// adapterSlots is the number of devices that AHV supports on each adapter of a VM.
var adapterSlots = map[string]int{AdapterSCSI: 256, AdapterIDE: 4, AdapterPCI: 7, AdapterSATA: 6}

// diskAddress is the address of a device: adapter and index.
type diskAddress struct {
	adapter string
	index   int
}

func (a diskAddress) String() string { return fmt.Sprintf("%s.%d", a.adapter, a.index) }

// AssignDisks assigns an address to every disk and returns the system disk followed by the data disks in their order.
//
// The system disk is SCSI.0. A data disk with an Index above 0 keeps its index. The others get the lowest free indexes of their
// adapters, in their order, so a bootstrap CD-ROM that comes first is IDE.0. IDE.3 stays free for cloud-init. The default
// DeviceType is DISK. The default AdapterType is SCSI, and IDE for a CD-ROM. The error is ErrInvalidInput if two disks have the
// same address, if an adapter does not support the index or the number of disks, or if a CD-ROM is on SCSI or PCI.
func AssignDisks(system Disk, data []Disk) ([]Disk, error) {
	var found problems
	system.DeviceType, system.AdapterType, system.Index = DeviceDisk, systemAdapter, systemIndex
	disks := append([]Disk{system}, data...)
	taken := map[diskAddress]string{
		{systemAdapter, systemIndex}:       "the system disk",
		{cloudInitAdapter, cloudInitIndex}: "the CD-ROM of cloud-init",
	}

	for i := range data {
		disk, field := &disks[i+1], dataField(i)
		defaultDevice(disk)
		validateDevice(&found, field, *disk)
		if disk.Index <= 0 {
			continue
		}
		address := diskAddress{disk.AdapterType, disk.Index}
		holder, used := taken[address]
		found.check(!used, field+".index", "means %s, which is already used by %s", address, holder)
		taken[address] = field
	}
	if err := found.err("assigning disks"); err != nil {
		return nil, err
	}

	for i := range data {
		disk, field := &disks[i+1], dataField(i)
		if disk.Index > 0 {
			continue
		}
		index := freeIndex(disk.AdapterType, taken)
		found.check(index >= 0, field+".adapterType", "has no free index: %s supports %d devices", disk.AdapterType, adapterSlots[disk.AdapterType])
		disk.Index = index
		taken[diskAddress{disk.AdapterType, index}] = field
	}
	if err := found.err("assigning disks"); err != nil {
		return nil, err
	}
	return disks, nil
}

func dataField(i int) string { return fmt.Sprintf("dataDisks[%d]", i) }

func defaultDevice(disk *Disk) {
	if disk.DeviceType == "" {
		disk.DeviceType = DeviceDisk
	}
	if disk.AdapterType == "" {
		disk.AdapterType = AdapterSCSI
		if disk.DeviceType == DeviceCDROM {
			disk.AdapterType = AdapterIDE
		}
	}
}

// freeIndex returns the lowest free index of the adapter, or -1.
func freeIndex(adapter string, taken map[diskAddress]string) int {
	for index := range adapterSlots[adapter] {
		if _, used := taken[diskAddress{adapter, index}]; !used {
			return index
		}
	}
	return -1
}

// validateDevice checks type, adapter and index of one disk.
func validateDevice(found *problems, field string, disk Disk) {
	found.oneOf(field+".deviceType", disk.DeviceType, DeviceDisk, DeviceCDROM)
	found.oneOf(field+".adapterType", disk.AdapterType, AdapterSCSI, AdapterIDE, AdapterPCI, AdapterSATA)
	if disk.DeviceType == DeviceCDROM {
		found.check(slices.Contains([]string{AdapterIDE, AdapterSATA}, disk.AdapterType), field+".adapterType",
			"must be IDE or SATA for a CD-ROM, not %q", disk.AdapterType)
	}
	if slots, known := adapterSlots[disk.AdapterType]; known {
		found.check(disk.Index >= 0 && disk.Index < slots, field+".index", "must be from 0 to %d on %s, not %d", slots-1, disk.AdapterType, disk.Index)
	}
}

// validateDisks checks disks to which AssignDisks has assigned addresses.
func validateDisks(found *problems, machine Machine) {
	found.check(len(machine.Disks) > 0, "disks", "must contain at least the system disk")
	taken := map[diskAddress]string{}
	if machine.CloudInit {
		taken[diskAddress{cloudInitAdapter, cloudInitIndex}] = "the CD-ROM of cloud-init"
	}
	for i, disk := range machine.Disks {
		field := fmt.Sprintf("disks[%d]", i)
		validateDevice(found, field, disk)
		address := diskAddress{disk.AdapterType, disk.Index}
		holder, used := taken[address]
		found.check(!used, field+".index", "means %s, which is already used by %s", address, holder)
		taken[address] = field
		validateContent(found, field, disk)
	}
}

// validateContent checks size, image and storage of one disk.
func validateContent(found *problems, field string, disk Disk) {
	found.check(disk.SizeMiB >= 0, field+".sizeMiB", "must not be negative")
	found.check(disk.DeviceType == DeviceCDROM || disk.SizeMiB > 0 || disk.Image != nil, field+".sizeMiB", "must be above 0 for a disk without an image")
	if disk.Image != nil {
		found.ref(field+".image", *disk.Image)
	}
	if disk.StorageContainer != nil {
		found.ref(field+".storageContainer", *disk.StorageContainer)
	}
	found.check(!disk.FlashMode || disk.StorageContainer != nil, field+".flashMode",
		"needs a storageContainer: the provider crashes when it is given the one without the other")
}
