package vmm

import (
	"slices"

	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// diskPosition returns the position in disk_list of the disk or CD-ROM with an index among the devices of its type. In
// disk_list of v3, disks and CD-ROMs are in one list.
func diskPosition(res *wire.VMResources, deviceType string, index int) int {
	return slices.IndexFunc(res.DiskList, func(d wire.Disk) bool {
		if (d.DeviceType() == "CDROM") != (deviceType == "CDROM") {
			return false
		}
		index--
		return index < 0
	})
}

func readDisk(deviceType string) func(r *v4.Request) (func(*wire.VMResources, int), error) {
	return func(r *v4.Request) (func(*wire.VMResources, int), error) {
		var body diskBody
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		return func(res *wire.VMResources, index int) {
			disk := body.wire(deviceType)
			if index < 0 {
				res.DiskList = append(res.DiskList, disk)
				return
			}
			old := &res.DiskList[diskPosition(res, deviceType, index)]
			disk.UUID, disk.DataSource, disk.VolumeGroup = old.UUID, old.DataSource, old.VolumeGroup
			disk.Properties.DeviceType = old.DeviceType()
			*old = disk
		}, nil
	}
}

func removeDisk(deviceType string) func(*wire.VMResources, int) {
	return func(res *wire.VMResources, index int) {
		i := diskPosition(res, deviceType, index)
		res.DiskList = slices.Delete(res.DiskList, i, i+1)
	}
}

func readNIC(r *v4.Request) (func(*wire.VMResources, int), error) {
	var body nicBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	return func(res *wire.VMResources, index int) {
		nic := body.wire()
		if index < 0 {
			res.NICList = append(res.NICList, nic)
			return
		}
		old := &res.NICList[index]
		nic.UUID = old.UUID
		if nic.SubnetReference == nil {
			nic.SubnetReference = old.SubnetReference
		}
		*old = nic
	}, nil
}

func readGPU(r *v4.Request) (func(*wire.VMResources, int), error) {
	var body gpuBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	return func(res *wire.VMResources, _ int) { res.GPUList = append(res.GPUList, body.wire()) }, nil
}

func readSerialPort(r *v4.Request) (func(*wire.VMResources, int), error) {
	var body serialBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	return func(res *wire.VMResources, index int) {
		if index < 0 {
			res.SerialPortList = append(res.SerialPortList, wire.SerialPort(body))
			return
		}
		res.SerialPortList[index] = wire.SerialPort(body)
	}, nil
}
