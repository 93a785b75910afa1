package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

const (
	Mebibyte = 1 << 20
	// CloudInitISO is the size in bytes of the CD-ROM with cloud-init data. CloudInitIndex is the index of that CD-ROM
	// on the IDE adapter.
	CloudInitISO   = 389120
	CloudInitIndex = 3
)

// Mebibytes converts bytes to mebibytes, rounded up.
func Mebibytes(bytes int64) int64 { return (bytes + Mebibyte - 1) / Mebibyte }

// DeviceType returns the device type. If the disk has none, the type is VOLUME_GROUP for a volume group and DISK
// otherwise.
func (d Disk) DeviceType() string {
	if t := OrZero(d.Properties).DeviceType; t != "" {
		return t
	}
	if !d.VolumeGroup.IsEmpty() {
		return TypeVolumeGroup
	}
	return "DISK"
}

// Adapter returns the adapter type. If the disk has none, the type is IDE for a CD-ROM and SCSI otherwise.
func (d Disk) Adapter() string {
	if a := OrZero(OrZero(d.Properties).Address).AdapterType; a != "" {
		return a
	}
	if d.DeviceType() == "CDROM" {
		return "IDE"
	}
	return "SCSI"
}

// Slot returns a device address in the format of Prism, for example scsi.0.
func (d Disk) Slot(index int64) string {
	return fmt.Sprintf("%s.%d", strings.ToLower(d.Adapter()), index)
}

// DiskByUUID returns the disk with the UUID id, or nil if it does not exist.
func (res *VMResources) DiskByUUID(id string) *Disk {
	for i := range res.DiskList {
		if res.DiskList[i].UUID == id {
			return &res.DiskList[i]
		}
	}
	return nil
}

// DiskOf is like DiskByUUID, but res may be nil.
func (res *VMResources) DiskOf(id string) *Disk {
	if res == nil || id == "" {
		return nil
	}
	return res.DiskByUUID(id)
}

// Bytes returns the size in bytes, or 0 if no size is set.
func (d *Disk) Bytes() int64 {
	if d.SizeBytes != nil {
		return *d.SizeBytes
	}
	return OrZero(d.SizeMiB) * Mebibyte
}

// SetBytes sets the size in bytes and the size in MiB.
func (d *Disk) SetBytes(size int64) {
	d.SizeBytes, d.SizeMiB = new(size), new(Mebibytes(size))
}

// IsCloudInit reports whether the disk is the CD-ROM with the customization data of the guest.
func (d *Disk) IsCloudInit() bool {
	return d.DeviceType() == "CDROM" && d.DataSource.IsEmpty() && d.Bytes() == CloudInitISO
}

// NICOf returns the NIC with the UUID id, or nil if it does not exist. res may be nil.
func (res *VMResources) NICOf(id string) *NIC {
	if res == nil || id == "" {
		return nil
	}
	for i := range res.NICList {
		if res.NICList[i].UUID == id {
			return &res.NICList[i]
		}
	}
	return nil
}

// SameDevices reports whether res and have contain the same disks with the same sizes, and the same NICs on the same
// subnets.
func (res *VMResources) SameDevices(have *VMResources) bool {
	return slices.EqualFunc(res.DiskList, have.DiskList, func(want, d Disk) bool {
		return want.UUID == d.UUID && (d.DeviceType() == "CDROM" || want.Bytes() == 0 || want.Bytes() == d.Bytes())
	}) && slices.EqualFunc(res.NICList, have.NICList, func(want, n NIC) bool {
		return want.UUID == n.UUID && OrZero(want.SubnetReference).UUID == n.SubnetReference.UUID &&
			(len(want.IPEndpoints) == 0 || slices.Equal(want.IPEndpoints, n.IPEndpoints))
	})
}

// SameModel reports whether two GPUs have the same vendor, mode and device ID.
func (g GPU) SameModel(other GPU) bool {
	return g.Vendor == other.Vendor && g.Mode == other.Mode && OrZero(g.DeviceID) == OrZero(other.DeviceID)
}

// Clone returns a deep copy.
func (s VMSpec) Clone() VMSpec {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // structs of plain values always marshal
	}
	var out VMSpec
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

// SameAs reports whether two specs are equal.
func (s VMSpec) SameAs(other VMSpec) bool { return reflect.DeepEqual(s.Clone(), other.Clone()) }

// NICs returns the NICs of a spec. If the spec has no resources, the result is empty.
func (s VMSpec) NICs() []NIC {
	if s.Resources == nil {
		return nil
	}
	return s.Resources.NICList
}

// Equal reports whether two customizations have the same cloud-init data and the same Sysprep data.
func (g *GuestCustomization) Equal(other *GuestCustomization) bool {
	if g == nil || other == nil {
		return g == other
	}
	if (g.CloudInit == nil) != (other.CloudInit == nil) || string(g.Sysprep) != string(other.Sysprep) {
		return false
	}
	return g.CloudInit == nil || (g.CloudInit.UserData == other.CloudInit.UserData && g.CloudInit.MetaData == other.CloudInit.MetaData)
}

// HasLearned reports whether a NIC has an IP endpoint of type LEARNED.
func (s VMSpec) HasLearned() bool {
	return slices.ContainsFunc(s.NICs(), func(n NIC) bool {
		return slices.ContainsFunc(n.IPEndpoints, func(endpoint IPEndpoint) bool { return endpoint.Type == TypeLearned })
	})
}

const TypeVolumeGroup = "VOLUME_GROUP"

// IsOf reports whether the disk is an attachment of the volume group with the UUID volumeGroup.
func (d Disk) IsOf(volumeGroup string) bool { return OrZero(d.VolumeGroup).UUID == volumeGroup }
