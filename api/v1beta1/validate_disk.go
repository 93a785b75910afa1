package v1beta1

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// busSlots is the number of devices that AHV attaches to each bus of an x86 VM.
var busSlots = map[NutanixMachineDiskAdapterType]int32{
	NutanixMachineDiskAdapterTypeSCSI: 256,
	NutanixMachineDiskAdapterTypeIDE:  4,
	NutanixMachineDiskAdapterTypePCI:  7,
	NutanixMachineDiskAdapterTypeSATA: 6,
}

// slot is a position on a bus.
type slot struct {
	bus   NutanixMachineDiskAdapterType
	index int32
}

// reservedSlots returns the slots that data disks cannot use. The values describe the devices in these slots.
func (s *NutanixMachineSpec) reservedSlots() map[slot]string {
	reserved := map[slot]string{
		{NutanixMachineDiskAdapterTypeSCSI, 0}: "the system disk",
		{NutanixMachineDiskAdapterTypeIDE, 3}:  "the CD-ROM of cloud-init",
	}
	if s.BootstrapRef != nil && s.BootstrapRef.Kind == NutanixMachineBootstrapRefKindImage {
		reserved[slot{NutanixMachineDiskAdapterTypeIDE, 0}] = "the bootstrap image"
	}
	return reserved
}

func (s *NutanixMachineSpec) validateDisks(path *field.Path) field.ErrorList {
	errs := validateMinimum(path.Child("systemDiskSize"), s.SystemDiskSize, minSystemDiskSize)
	path = path.Child("dataDisks")
	for i := range s.DataDisks {
		errs = append(errs, s.DataDisks[i].validate(path.Index(i))...)
	}
	return append(errs, s.validateSlots(path)...)
}

func (d *NutanixMachineVMDisk) validate(path *field.Path) field.ErrorList {
	errs := validateMinimum(path.Child("diskSize"), d.DiskSize, minDataDiskSize)
	errs = append(errs, d.validateDevice(path.Child("deviceProperties"))...)
	errs = append(errs, d.validateStorage(path.Child("storageConfig"))...)
	if d.DataSource != nil {
		errs = append(errs, d.DataSource.Validate(path.Child("dataSource"))...)
	} else if d.deviceType() == NutanixMachineDiskDeviceTypeCDRom {
		errs = append(errs, field.Required(path.Child("dataSource"), "a CDRom needs an image: set it here"))
	}
	return errs
}

// deviceType returns the device type of the disk. The default is Disk.
func (d *NutanixMachineVMDisk) deviceType() NutanixMachineDiskDeviceType {
	if d.DeviceProperties == nil || d.DeviceProperties.DeviceType == "" {
		return NutanixMachineDiskDeviceTypeDisk
	}
	return d.DeviceProperties.DeviceType
}

// slot returns the bus and the index of the disk. The default of the bus is SCSI. Index 0 means the first free index.
func (d *NutanixMachineVMDisk) slot() slot {
	if d.DeviceProperties == nil {
		return slot{bus: NutanixMachineDiskAdapterTypeSCSI}
	}
	return slot{bus: d.DeviceProperties.AdapterType, index: d.DeviceProperties.DeviceIndex}
}

func (d *NutanixMachineVMDisk) validateDevice(path *field.Path) field.ErrorList {
	place := d.slot()
	slots, known := busSlots[place.bus]
	if !known {
		return validateUnknownBus(path.Child("adapterType"), place.bus)
	}
	var errs field.ErrorList
	switch d.deviceType() {
	case NutanixMachineDiskDeviceTypeDisk:
	case NutanixMachineDiskDeviceTypeCDRom:
		if place.bus != NutanixMachineDiskAdapterTypeIDE && place.bus != NutanixMachineDiskAdapterTypeSATA {
			errs = append(errs, field.Invalid(path.Child("adapterType"), place.bus, "a CDRom can be attached to IDE and SATA only: set one of them"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("deviceType"), d.deviceType(),
			[]NutanixMachineDiskDeviceType{NutanixMachineDiskDeviceTypeDisk, NutanixMachineDiskDeviceTypeCDRom}))
	}
	if place.index < 0 || place.index >= slots {
		errs = append(errs, field.Invalid(path.Child("deviceIndex"), place.index,
			fmt.Sprintf("%s has the indexes 0 to %d; 0 selects a free one", place.bus, slots-1)))
	}
	return errs
}

func validateUnknownBus(path *field.Path, bus NutanixMachineDiskAdapterType) field.ErrorList {
	switch bus {
	case "":
		return field.ErrorList{field.Required(path, "set it to SCSI, IDE, PCI or SATA")}
	case NutanixMachineDiskAdapterTypeSPAPR:
		return field.ErrorList{field.Invalid(path, bus, "SPAPR exists on IBM POWER hosts only: set SCSI, IDE, PCI or SATA")}
	default:
		return field.ErrorList{field.NotSupported(path, bus, []NutanixMachineDiskAdapterType{
			NutanixMachineDiskAdapterTypeSCSI, NutanixMachineDiskAdapterTypeIDE,
			NutanixMachineDiskAdapterTypePCI, NutanixMachineDiskAdapterTypeSATA,
		})}
	}
}

func (d *NutanixMachineVMDisk) validateStorage(path *field.Path) field.ErrorList {
	if d.StorageConfig == nil {
		return nil
	}
	var errs field.ErrorList
	switch d.StorageConfig.DiskMode {
	case "", NutanixMachineDiskModeStandard:
	case NutanixMachineDiskModeFlash:
		if d.deviceType() == NutanixMachineDiskDeviceTypeCDRom {
			errs = append(errs, field.Invalid(path.Child("diskMode"), d.StorageConfig.DiskMode, "a CDRom has no flash mode: set Standard"))
		}
		// The provider crashes if a disk has a flash mode but no storage container.
		if d.StorageConfig.StorageContainer == nil {
			errs = append(errs, field.Required(path.Child("storageContainer"), "diskMode Flash needs a storage container: set it"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("diskMode"), d.StorageConfig.DiskMode,
			[]NutanixMachineDiskMode{NutanixMachineDiskModeStandard, NutanixMachineDiskModeFlash}))
	}
	if d.StorageConfig.StorageContainer != nil {
		errs = append(errs, d.StorageConfig.StorageContainer.Validate(path.Child("storageContainer"))...)
	}
	return errs
}

// validateSlots checks that no two disks have the same slot, and that each bus has enough slots for its disks.
func (s *NutanixMachineSpec) validateSlots(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	taken := s.reservedSlots()
	free := map[NutanixMachineDiskAdapterType]int32{}
	for bus, slots := range busSlots {
		free[bus] = slots
	}
	for reserved := range taken {
		free[reserved.bus]--
	}
	for i := range s.DataDisks {
		place := s.DataDisks[i].slot()
		item := path.Index(i).Child("deviceProperties")
		if holder := taken[place]; place.index > 0 && holder != "" {
			errs = append(errs, field.Invalid(item.Child("deviceIndex"), place.index,
				fmt.Sprintf("%s.%d is taken by %s: set another index, or 0 for a free one", place.bus, place.index, holder)))
			continue
		}
		if place.index > 0 {
			taken[place] = fmt.Sprintf("dataDisks[%d]", i)
		}
		if slots, known := free[place.bus]; known && slots == 0 {
			errs = append(errs, field.Invalid(item.Child("adapterType"), place.bus,
				fmt.Sprintf("%s has no slot left for this disk: attach it to another bus", place.bus)))
			continue
		}
		free[place.bus]--
	}
	return errs
}
