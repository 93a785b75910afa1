package renderer

import (
	"fmt"
	"slices"
)

// Addresses that AssignDisks never assigns to a data disk. One is the address of the system disk. The other is the address of the CD-ROM
// that Prism adds for cloud-init.
const (
	systemAdapter, systemIndex       = AdapterSCSI, 0
	cloudInitAdapter, cloudInitIndex = AdapterIDE, 3
)

// adapterSlots is the maximum number of devices on each adapter of a VM in AHV.
var adapterSlots = map[string]int{AdapterSCSI: 256, AdapterIDE: 4, AdapterPCI: 7, AdapterSATA: 6}

// diskAddress is the address of a disk in a VM.
type diskAddress struct {
	adapter string
	index   int
}

func (a diskAddress) String() string { return fmt.Sprintf("%s.%d", a.adapter, a.index) }

// AssignDisks assigns an address to every disk. It returns the system disk followed by the data disks in the order of data.
//
// The system disk gets the address SCSI.0. A data disk whose Index is above 0 keeps the index. The other data disks get the lowest free
// index of their adapter, in the order of data. So if the first data disk is a bootstrap CD-ROM, it gets IDE.0. IDE.3 is reserved for
// cloud-init. The default of DeviceType is DISK. The default of AdapterType is IDE for a CD-ROM and SCSI for a disk.
//
// AssignDisks returns an error that matches ErrInvalidInput if two disks have the same address, if an adapter does not support the index or
// the number of disks, or if a CD-ROM is on SCSI or PCI.
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

// freeIndex returns the lowest free index of the adapter, or -1 if all indexes are used.
func freeIndex(adapter string, taken map[diskAddress]string) int {
	for index := range adapterSlots[adapter] {
		if _, used := taken[diskAddress{adapter, index}]; !used {
			return index
		}
	}
	return -1
}

// validateDevice checks the type, the adapter and the index of one disk.
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

// validateDisks checks the disks of a machine. AssignDisks must have assigned addresses to these disks.
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

// validateContent checks the size, the image and the storage of one disk.
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
