package renderer

import (
	"fmt"
	"slices"
)

// Places that are never given to a data disk: the system disk, and the CD-ROM that Prism adds for cloud-init.
const (
	systemAdapter, systemIndex       = AdapterSCSI, 0
	cloudInitAdapter, cloudInitIndex = AdapterIDE, 3
)

// adapterSlots says how many devices AHV takes on each adapter of a VM.
var adapterSlots = map[string]int{AdapterSCSI: 256, AdapterIDE: 4, AdapterPCI: 7, AdapterSATA: 6}

// diskAddress is a place on an adapter.
type diskAddress struct {
	adapter string
	index   int
}

func (a diskAddress) String() string { return fmt.Sprintf("%s.%d", a.adapter, a.index) }

// AssignDisks gives every disk a place of its own and returns the system disk followed by the data disks in their order.
//
// The system disk is SCSI.0. A data disk with an Index above 0 keeps it; the others get the lowest free places of their
// adapters, in their order, so that a bootstrap CD-ROM which comes first is IDE.0. IDE.3 stays free for cloud-init. An
// empty DeviceType is DISK; an empty AdapterType is SCSI, for a CD-ROM IDE. Two disks that want one place, an index or a
// number of disks beyond what the adapter takes, and a CD-ROM on SCSI or PCI are errors that are ErrInvalidInput.
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
		found.check(!used, field+".index", "wants %s, the place of %s", address, holder)
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
		found.check(index >= 0, field+".adapterType", "has no free place left: %s takes %d devices", disk.AdapterType, adapterSlots[disk.AdapterType])
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

// validateDevice checks what a disk says about its place, without the others.
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

// validateDisks checks disks that have their places.
func validateDisks(found *problems, machine Machine) {
	found.check(len(machine.Disks) > 0, "disks", "must hold at least the system disk")
	taken := map[diskAddress]string{}
	if machine.CloudInit {
		taken[diskAddress{cloudInitAdapter, cloudInitIndex}] = "the CD-ROM of cloud-init"
	}
	for i, disk := range machine.Disks {
		field := fmt.Sprintf("disks[%d]", i)
		validateDevice(found, field, disk)
		address := diskAddress{disk.AdapterType, disk.Index}
		holder, used := taken[address]
		found.check(!used, field+".index", "wants %s, the place of %s", address, holder)
		taken[address] = field
		validateContent(found, field, disk)
	}
}

// validateContent checks what is on a disk and where it is stored.
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
