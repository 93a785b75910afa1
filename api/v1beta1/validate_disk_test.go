package v1beta1_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

const (
	hdd = infrav1.NutanixMachineDiskDeviceTypeDisk
	cd  = infrav1.NutanixMachineDiskDeviceTypeCDRom
)

func flash(d infrav1.NutanixMachineVMDisk, container *infrav1.NutanixResourceIdentifier) infrav1.NutanixMachineVMDisk {
	d.StorageConfig = &infrav1.NutanixMachineVMStorageConfig{DiskMode: infrav1.NutanixMachineDiskModeFlash, StorageContainer: container}
	return d
}

func repeat(d infrav1.NutanixMachineVMDisk, count int) []infrav1.NutanixMachineVMDisk {
	disks := make([]infrav1.NutanixMachineVMDisk, count)
	for i := range disks {
		disks[i] = *d.DeepCopy()
	}
	return disks
}

func TestValidateDisks(t *testing.T) {
	type disks = []infrav1.NutanixMachineVMDisk
	container := ptr.To(byName("fast"))
	small, emptyCD := disk(hdd, "SCSI", 0), disk(cd, "IDE", 0)
	small.DiskSize = resource.MustParse("1G")
	emptyCD.DataSource = nil
	for name, tc := range map[string]struct {
		disks disks
		want  []string
	}{
		"none":                         {nil, nil},
		"plain":                        {disks{{DiskSize: resource.MustParse("1Gi")}}, nil},
		"one on each bus":              {disks{disk(hdd, "SCSI", 0), disk(hdd, "IDE", 0), disk(hdd, "PCI", 0), disk(hdd, "SATA", 0)}, nil},
		"CD-ROMs":                      {disks{disk(cd, "IDE", 1), disk(cd, "SATA", 0)}, nil},
		"flash":                        {disks{flash(disk(hdd, "SCSI", 0), container)}, nil},
		"last index of each bus":       {disks{disk(hdd, "SCSI", 255), disk(hdd, "IDE", 2), disk(hdd, "PCI", 6), disk(hdd, "SATA", 5)}, nil},
		"too small":                    {disks{small}, []string{"spec.dataDisks[0].diskSize:at least 1Gi"}},
		"POWER bus":                    {disks{disk(hdd, "SPAPR", 0)}, []string{"spec.dataDisks[0].deviceProperties.adapterType:set SCSI, IDE, PCI or SATA"}},
		"unknown bus":                  {disks{disk(hdd, "NVMe", 0)}, []string{"spec.dataDisks[0].deviceProperties.adapterType:supported values"}},
		"no bus":                       {disks{disk(hdd, "", 0)}, []string{"spec.dataDisks[0].deviceProperties.adapterType:set it"}},
		"unknown device":               {disks{disk("Tape", "SCSI", 0)}, []string{"spec.dataDisks[0].deviceProperties.deviceType:supported values"}},
		"CD-ROM on SCSI":               {disks{disk(cd, "SCSI", 0)}, []string{"spec.dataDisks[0].deviceProperties.adapterType:IDE and SATA"}},
		"CD-ROM on PCI":                {disks{disk(cd, "PCI", 0)}, []string{"spec.dataDisks[0].deviceProperties.adapterType:IDE and SATA"}},
		"CD-ROM without image":         {disks{emptyCD}, []string{"spec.dataDisks[0].dataSource:needs an image"}},
		"flash CD-ROM":                 {disks{flash(disk(cd, "IDE", 0), container)}, []string{"spec.dataDisks[0].storageConfig.diskMode:no flash"}},
		"flash without container":      {disks{flash(disk(hdd, "SCSI", 0), nil)}, []string{"spec.dataDisks[0].storageConfig.storageContainer:needs a storage container"}},
		"bad container":                {disks{flash(disk(hdd, "SCSI", 0), &infrav1.NutanixResourceIdentifier{Type: "name"})}, []string{"spec.dataDisks[0].storageConfig.storageContainer.name:set the name"}},
		"negative index":               {disks{disk(hdd, "SCSI", -1)}, []string{"spec.dataDisks[0].deviceProperties.deviceIndex:0 to 255"}},
		"index beyond the bus":         {disks{disk(hdd, "PCI", 7)}, []string{"spec.dataDisks[0].deviceProperties.deviceIndex:0 to 6"}},
		"two disks in one slot":        {disks{disk(hdd, "SATA", 2), disk(hdd, "SATA", 2)}, []string{"spec.dataDisks[1].deviceProperties.deviceIndex:SATA.2 is taken by dataDisks[0]"}},
		"the slot of cloud-init":       {disks{disk(hdd, "IDE", 3)}, []string{"spec.dataDisks[0].deviceProperties.deviceIndex:taken by the CD-ROM of cloud-init"}},
		"more disks than slots":        {repeat(disk(hdd, "PCI", 0), 8), []string{"spec.dataDisks[7].deviceProperties.adapterType:no slot left"}},
		"IDE slot of cloud-init":       {repeat(disk(hdd, "IDE", 0), 4), []string{"spec.dataDisks[3].deviceProperties.adapterType:no slot left"}},
		"SCSI slot of the system disk": {repeat(disk(hdd, "SCSI", 0), 256), []string{"spec.dataDisks[255].deviceProperties.adapterType:no slot left"}},
		"fixed and automatic indexes":  {append(repeat(disk(hdd, "SATA", 0), 5), disk(hdd, "SATA", 5)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			m.Spec.DataDisks = tc.disks
			assertErrors(t, tc.want, m.Validate())
		})
	}
}

func TestValidateDisksWithBootstrapImage(t *testing.T) {
	m := machine()
	m.Spec.BootstrapRef = bootImage()
	m.Spec.DataDisks = repeat(disk(hdd, "IDE", 0), 3)
	assertErrors(t, []string{"spec.dataDisks[2].deviceProperties.adapterType:no slot left"}, m.Validate())
}
