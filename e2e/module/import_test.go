package module

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/renderer"
)

// shapes returns functions that change the machine of a fixture, so that together they use everything that a machine can have.
func shapes() map[string]func(f *fixture, m *renderer.Machine) {
	return map[string]func(f *fixture, m *renderer.Machine){
		"cloud-init": func(*fixture, *renderer.Machine) {},
		"no cloud-init": func(_ *fixture, m *renderer.Machine) {
			m.CloudInit = false
		},
		"everything": func(f *fixture, m *renderer.Machine) {
			project, seed, container := f.ref("project", "platform"), f.ref("image", "data-seed"), f.ref("storage_container", "fast")
			m.Project, m.BootType = &project, renderer.BootUEFI
			m.Subnets = append(m.Subnets, f.ref("subnet", "dual-stack-network"), f.ref("subnet", "overlay-network"))
			m.Disks = append(m.Disks,
				renderer.Disk{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterSCSI, Index: 1, SizeMiB: 2048, Image: &seed},
				renderer.Disk{DeviceType: renderer.DeviceDisk, AdapterType: renderer.AdapterPCI, SizeMiB: 1024, StorageContainer: &container, FlashMode: true})
			m.GPUs = []renderer.GPU{{Vendor: "NVIDIA", Mode: "PASSTHROUGH_COMPUTE", DeviceID: 7864}}
		},
		"own CD-ROM": func(f *fixture, m *renderer.Machine) {
			iso := f.ref("image", "bootstrap-iso")
			m.Disks = append(m.Disks, renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterIDE, Index: 1, Image: &iso})
		},
		"CD-ROMs with sizes": func(f *fixture, m *renderer.Machine) { // dataDisks of a NutanixMachine always have a size
			iso := f.ref("image", "bootstrap-iso")
			m.Disks = append(m.Disks,
				renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterIDE, SizeMiB: 1024, Image: &iso},
				renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterSATA, SizeMiB: 1024})
		},
		"virtual GPU": func(_ *fixture, m *renderer.Machine) {
			m.GPUs = []renderer.GPU{{Vendor: "NVIDIA", Mode: "VIRTUAL", DeviceID: 606}}
		},
		"CD-ROM instead of cloud-init": func(f *fixture, m *renderer.Machine) {
			iso := f.ref("image", "bootstrap-iso")
			m.Disks = append(m.Disks, renderer.Disk{DeviceType: renderer.DeviceCDROM, AdapterType: renderer.AdapterIDE, Image: &iso})
			m.CloudInit, m.BootType = false, renderer.BootLegacy
		},
	}
}

// Importing an existing VM changes nothing, regardless of the settings with which the VM was created. The next plan must
// find no changes.
func TestImportOfVMChangesNothing(t *testing.T) {
	for name, change := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachProvider(t, func(f *fixture) {
				machine := f.machine()
				change(f, &machine)
				f.importChangesNothing(machine)
			})
		})
	}
}

func (f *fixture) importChangesNothing(machine renderer.Machine) {
	f.t.Helper()
	made := f.open(f.render(machine))
	made.plan()
	made.apply()
	vms := f.prism.VMs()
	require.Len(f.t, vms, 1)

	imported := f.open(f.render(machine).WithImport(f.api.MachineAddress(), vms[0].UUID))
	record := imported.record()
	// An import also adds the four outputs of the module to the state.
	assert.Equal(f.t, plan.Counts{Import: 1, Other: 4}, record.Counts, record.Summary())

	imported.apply()
	assert.Equal(f.t, "ON", f.prism.VMs()[0].PowerState)
	for _, request := range f.prism.Requests() {
		assert.NotEqual(f.t, http.MethodPut, request.Method, request.Path)
	}
	imported.plansClean()
}
