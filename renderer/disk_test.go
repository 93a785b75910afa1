package renderer_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/renderer"
)

func disk(adapter string, index int) renderer.Disk {
	return renderer.Disk{AdapterType: adapter, Index: index, SizeMiB: 1024}
}

func cdrom(adapter string, index int) renderer.Disk {
	return renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: adapter, Index: index}
}

func repeated(count int, disk renderer.Disk) []renderer.Disk {
	disks := make([]renderer.Disk, count)
	for i := range disks {
		disks[i] = disk
	}
	return disks
}

func TestAssignDisks(t *testing.T) {
	tests := map[string]struct {
		data []renderer.Disk
		want []string
	}{
		"system disk alone":                   {nil, []string{"SCSI.0"}},
		"SCSI starts behind the system disk":  {repeated(3, disk("SCSI", 0)), []string{"SCSI.0", "SCSI.1", "SCSI.2", "SCSI.3"}},
		"PCI starts at 0":                     {repeated(3, disk("PCI", 0)), []string{"SCSI.0", "PCI.0", "PCI.1", "PCI.2"}},
		"adapters count apart":                {[]renderer.Disk{disk("SCSI", 0), disk("PCI", 0), disk("SATA", 0), disk("IDE", 0), disk("SCSI", 0)}, []string{"SCSI.0", "SCSI.1", "PCI.0", "SATA.0", "IDE.0", "SCSI.2"}},
		"explicit places are kept":            {[]renderer.Disk{disk("SCSI", 5), disk("PCI", 6)}, []string{"SCSI.0", "SCSI.5", "PCI.6"}},
		"explicit places behind the others":   {[]renderer.Disk{disk("SCSI", 0), disk("SCSI", 0), disk("SCSI", 1), disk("SCSI", 2)}, []string{"SCSI.0", "SCSI.3", "SCSI.4", "SCSI.1", "SCSI.2"}},
		"adapter defaults to SCSI":            {[]renderer.Disk{disk("", 0)}, []string{"SCSI.0", "SCSI.1"}},
		"adapter of a CD-ROM defaults to IDE": {[]renderer.Disk{cdrom("", 0), cdrom("", 0)}, []string{"SCSI.0", "IDE.0", "IDE.1"}},
		"bootstrap CD-ROM comes first":        {[]renderer.Disk{cdrom("IDE", 0), disk("IDE", 0), disk("IDE", 1)}, []string{"SCSI.0", "IDE.0", "IDE.2", "IDE.1"}},
		"IDE up to the cloud-init CD-ROM":     {repeated(3, disk("IDE", 0)), []string{"SCSI.0", "IDE.0", "IDE.1", "IDE.2"}},
		"last places":                         {[]renderer.Disk{disk("SCSI", 255), disk("PCI", 6), disk("SATA", 5), disk("IDE", 2)}, []string{"SCSI.0", "SCSI.255", "PCI.6", "SATA.5", "IDE.2"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			disks, err := renderer.AssignDisks(systemDisk(), test.data)
			require.NoError(t, err)
			var places []string
			for _, disk := range disks {
				places = append(places, fmt.Sprintf("%s.%d", disk.AdapterType, disk.Index))
			}
			assert.Equal(t, test.want, places)
		})
	}
}

func TestAssignDisksRefusesInvalidDisks(t *testing.T) {
	tests := map[string]struct {
		data []renderer.Disk
		want string
	}{
		"two at one address":                {[]renderer.Disk{disk("SCSI", 2), disk("SCSI", 2)}, "dataDisks[1].index means SCSI.2, which is already used by dataDisks[0]"},
		"the address of cloud-init":         {[]renderer.Disk{disk("IDE", 3)}, "dataDisks[0].index means IDE.3, which is already used by the CD-ROM of cloud-init"},
		"index beyond SCSI":                 {[]renderer.Disk{disk("SCSI", 256)}, "dataDisks[0].index must be from 0 to 255 on SCSI, not 256"},
		"index beyond IDE":                  {[]renderer.Disk{disk("IDE", 4)}, "from 0 to 3 on IDE"},
		"index beyond PCI":                  {[]renderer.Disk{disk("PCI", 7)}, "from 0 to 6 on PCI"},
		"index beyond SATA":                 {[]renderer.Disk{disk("SATA", 6)}, "from 0 to 5 on SATA"},
		"negative index":                    {[]renderer.Disk{disk("SCSI", -1)}, "dataDisks[0].index must be from 0"},
		"too many on IDE":                   {repeated(4, disk("IDE", 0)), "dataDisks[3].adapterType has no free index: IDE supports 4 devices"},
		"too many on PCI":                   {repeated(8, disk("PCI", 0)), "dataDisks[7].adapterType has no free index: PCI supports 7 devices"},
		"too many on SCSI":                  {repeated(256, disk("SCSI", 0)), "dataDisks[255].adapterType has no free index"},
		"unknown adapter":                   {[]renderer.Disk{disk("SPAPR", 0)}, `dataDisks[0].adapterType must be one of SCSI, IDE, PCI, SATA, not "SPAPR"`},
		"unknown device":                    {[]renderer.Disk{{DeviceType: "TAPE"}}, `dataDisks[0].deviceType must be one of DISK, CDROM, not "TAPE"`},
		"CD-ROM on SCSI":                    {[]renderer.Disk{cdrom("SCSI", 0)}, `dataDisks[0].adapterType must be IDE or SATA for a CD-ROM, not "SCSI"`},
		"several problems are all reported": {[]renderer.Disk{disk("SPAPR", 0), disk("IDE", 9)}, "dataDisks[1].index must be from 0 to 3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			disks, err := renderer.AssignDisks(systemDisk(), test.data)
			require.ErrorIs(t, err, renderer.ErrInvalidInput)
			assert.ErrorContains(t, err, test.want)
			assert.Nil(t, disks)
		})
	}
}

func TestAssignDisksKeepsOtherFields(t *testing.T) {
	data := []renderer.Disk{{
		AdapterType: renderer.AdapterPCI, SizeMiB: 2048, FlashMode: true,
		Image: &renderer.Ref{UUID: imageUUID}, StorageContainer: &renderer.Ref{UUID: containerUUID},
	}}
	disks, err := renderer.AssignDisks(renderer.Disk{SizeMiB: 40960, Image: &renderer.Ref{UUID: isoUUID}}, data)
	require.NoError(t, err)

	want := data[0]
	want.DeviceType = renderer.DeviceDisk
	assert.Equal(t, want, disks[1])
	assert.Equal(t, renderer.Disk{
		DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, SizeMiB: 40960, Image: &renderer.Ref{UUID: isoUUID},
	}, disks[0])
	assert.Empty(t, data[0].DeviceType, "the caller's disks must stay as they are")
}
