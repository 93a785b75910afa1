package scenario

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/yaml"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// richSpec uses every field of a machine but bootstrapRef; what can be said in two ways is said in the other one in otherSpec.
const richSpec = `vcpuSockets: 2
vcpusPerSocket: 2
memorySize: 6Gi
systemDiskSize: 50Gi
bootType: uefi
imageLookup:
  format: capx-{{.BaseOS}}-{{.K8sVersion}}-*
  baseOS: ubuntu-22.04
cluster:
  type: name
  name: nutanix-cluster-1
subnet:
- type: name
  name: vm-network
- type: name
  name: dual-stack-network
- type: name
  name: overlay-network
project:
  type: name
  name: platform
categories:
- key: Environment
  value: Testing
additionalCategories:
- key: AppTier
  value: Database
dataDisks:
- diskSize: 2Gi
  dataSource:
    type: name
    name: data-seed
- diskSize: 10Gi
  deviceProperties:
    deviceType: Disk
    adapterType: SCSI
    deviceIndex: 3
  storageConfig:
    diskMode: Standard
    storageContainer:
      type: name
      name: fast
- diskSize: 5Gi
  deviceProperties:
    deviceType: Disk
    adapterType: PCI
gpus:
- type: name
  name: Tesla T4
`

// otherSpec names by UUID what richSpec names by name, and uses the other kinds of disk. {{ uuid "kind" "name" }} is filled in.
const otherSpec = `vcpuSockets: 1
vcpusPerSocket: 2
memorySize: 4Gi
systemDiskSize: 40Gi
bootType: legacy
image:
  type: uuid
  uuid: {{ uuid "image" "ubuntu-22.04-kube-v1.28.0" }}
cluster:
  type: uuid
  uuid: {{ uuid "cluster" "nutanix-cluster-1" }}
subnet:
- type: uuid
  uuid: {{ uuid "subnet" "vm-network" }}
project:
  type: uuid
  uuid: {{ uuid "project" "platform" }}
dataDisks:
- diskSize: 1Gi
  deviceProperties:
    deviceType: CDRom
    adapterType: IDE
    deviceIndex: 1
  dataSource:
    type: uuid
    uuid: {{ uuid "image" "bootstrap-iso" }}
- diskSize: 2Gi
  deviceProperties:
    deviceType: Disk
    adapterType: SCSI
  storageConfig:
    diskMode: Flash
    storageContainer:
      type: uuid
      uuid: {{ uuid "storage_container" "fast" }}
- diskSize: 3Gi
  deviceProperties:
    deviceType: Disk
    adapterType: IDE
- diskSize: 4Gi
  deviceProperties:
    deviceType: Disk
    adapterType: SATA
gpus:
- type: deviceID
  deviceID: 7864
`

// A machine with everything that a NutanixMachine can say is made as it says, and a plan finds nothing to change, with each
// version of the provider in the mirror.
func TestMachineWithEverythingPlansClean(t *testing.T) {
	t.Parallel()
	for _, version := range toolbox.ProviderVersions(t) {
		// One after the other: there are not enough GPUs for two.
		t.Run(version, func(t *testing.T) { machinesOfAllShapes(t, version) })
	}
}

func machinesOfAllShapes(t *testing.T, providerVersion string) {
	c := newCluster(t, "shapes-"+strings.ReplaceAll(providerVersion, ".", "-"))
	c.ProviderVersion = providerVersion
	c.Workers = 1
	c.Version = "v1.28.0"
	c.WorkerSpec = richSpec
	c.apply()
	c.complete()
	c.plansClean()

	vm := c.vmOf(c.workers()[0].Status.VMUUID)
	assert.Equal(t, 2, vm.Sockets)
	assert.Equal(t, 2, vm.VCPUsPerSocket)
	assert.EqualValues(t, 6144, vm.MemoryMiB)
	assert.Equal(t, "UEFI", vm.BootType)
	assert.Equal(t, "platform", vm.Project)
	assert.Equal(t, map[string]string{"KubernetesClusterName": c.Name, "Environment": "Testing", "AppTier": "Database"}, vm.Categories)
	assert.Equal(t, []string{"Tesla T4"}, vm.GPUs)
	var subnets []string
	for _, nic := range vm.NICs {
		subnets = append(subnets, nic.Subnet)
	}
	assert.Equal(t, []string{"vm-network", "dual-stack-network", "overlay-network"}, subnets)
	assert.Len(t, vm.Disks, 5, "system disk, three data disks, the CD-ROM of cloud-init")

	c.rollOut("other", func(spec map[string]any) { replace(t, spec, otherSpec) })
	say(t, "the worker is to have disks of the other kinds, and names by UUID")
	c.complete()
	c.plansClean()
	vm = c.vmOf(c.workers()[0].Status.VMUUID)
	assert.Equal(t, []string{"Tesla T4"}, vm.GPUs)
	assert.Equal(t, "platform", vm.Project)
	assert.ElementsMatch(t, []string{"SCSI.0 DISK", "IDE.1 CDROM", "SCSI.1 DISK", "IDE.0 DISK", "SATA.0 DISK", "IDE.3 CDROM"}, places(vm))

	c.bootsFromImage()
}

// bootsFromImage proves for a machine with its own CD-ROM instead of cloud-init's, of which no Node comes, that it is made as it says.
func (c *cluster) bootsFromImage() {
	c.t.Helper()
	c.rollOut("image", func(spec map[string]any) {
		replace(c.t, spec, workerSpec)
		spec["bootstrapRef"] = map[string]any{"kind": infrav1.NutanixMachineBootstrapRefKindImage, "name": "bootstrap-iso"}
	})
	say(c.t, "a worker is to boot from a CD-ROM image")
	var machine *infrav1.NutanixMachine
	c.must(world.Env.Wait(c.ctx, "the machine to be ready", func(context.Context) (bool, string, error) {
		for _, worker := range c.workers() {
			if worker.Spec.BootstrapRef != nil && conditions.IsTrue(&worker, clusterv1.ReadyCondition) {
				machine = &worker
				return true, "", nil
			}
		}
		return false, "", nil
	}))
	assert.ElementsMatch(c.t, []string{"SCSI.0 DISK", "IDE.0 CDROM"}, places(c.vmOf(machine.Status.VMUUID)))
	require.NoError(c.t, world.PlanClean(c.ctx, machine))
}

// replace makes a spec what a text in YAML says.
func replace(t *testing.T, spec map[string]any, text string) {
	t.Helper()
	parsed, err := template.New("spec").Funcs(template.FuncMap{"uuid": world.Prism.UUID}).Parse(text)
	require.NoError(t, err)
	var filled bytes.Buffer
	require.NoError(t, parsed.Execute(&filled, nil))
	clear(spec)
	require.NoError(t, yaml.Unmarshal(filled.Bytes(), &spec))
}

// places are the disks of a virtual machine by where they are.
func places(vm prismsim.VM) []string {
	var found []string
	for _, disk := range vm.Disks {
		found = append(found, fmt.Sprintf("%s.%d %s", disk.AdapterType, disk.Index, disk.DeviceType))
	}
	return found
}

func (c *cluster) vmOf(uuid string) prismsim.VM {
	c.t.Helper()
	for _, vm := range c.vms() {
		if vm.UUID == uuid {
			return vm
		}
	}
	require.Failf(c.t, "no such virtual machine", "Prism Central has no %s", uuid)
	return prismsim.VM{}
}
