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

// richSpec sets every field of a machine except bootstrapRef. If a field has two alternative forms, otherSpec uses the
// alternative that richSpec does not use.
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

// otherSpec refers by UUID to the entities to which richSpec refers by name, and uses the other kinds of disks. The
// template function uuid returns the UUID of the entity with the given kind and name in Prism Central.
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

// The test runs for each provider version in the mirror. The VM of a machine that sets every field must have the
// configured settings, and the next plan must find no changes.
func TestMachineWithAllFieldsPlansClean(t *testing.T) {
	t.Parallel()
	for _, version := range toolbox.ProviderVersions(t) {
		// The subtests do not run in parallel, because the simulated hosts do not have enough GPUs for the machines of two
		// subtests.
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
	assert.Len(t, vm.Disks, 5, "system disk, three data disks and cloud-init CD-ROM")

	c.rollOut("other", func(spec map[string]any) { replaceSpec(t, spec, otherSpec) })
	logf(t, "changed the worker to other disk types and to UUIDs instead of names")
	c.complete()
	c.plansClean()
	vm = c.vmOf(c.workers()[0].Status.VMUUID)
	assert.Equal(t, []string{"Tesla T4"}, vm.GPUs)
	assert.Equal(t, "platform", vm.Project)
	assert.ElementsMatch(t, []string{"SCSI.0 DISK", "IDE.1 CDROM", "SCSI.1 DISK", "IDE.0 DISK", "SATA.0 DISK", "IDE.3 CDROM"}, diskAddresses(vm))

	c.requireBootFromImage()
}

// requireBootFromImage requires that a machine whose spec defines a bootstrap CD-ROM gets this CD-ROM instead of the
// CD-ROM with cloud-init data. No Node registers from such a machine, because its guest has no cloud-init data.
func (c *cluster) requireBootFromImage() {
	c.t.Helper()
	c.rollOut("image", func(spec map[string]any) {
		replaceSpec(c.t, spec, workerSpec)
		spec["bootstrapRef"] = map[string]any{"kind": infrav1.NutanixMachineBootstrapRefKindImage, "name": "bootstrap-iso"}
	})
	logf(c.t, "changed the worker to boot from a CD-ROM image")
	var machine *infrav1.NutanixMachine
	c.must(testStack.Env.Wait(c.ctx, "the machine to be ready", func(context.Context) (bool, string, error) {
		for _, worker := range c.workers() {
			if worker.Spec.BootstrapRef != nil && conditions.IsTrue(&worker, clusterv1.ReadyCondition) {
				machine = &worker
				return true, "", nil
			}
		}
		return false, "", nil
	}))
	assert.ElementsMatch(c.t, []string{"SCSI.0 DISK", "IDE.0 CDROM"}, diskAddresses(c.vmOf(machine.Status.VMUUID)))
	require.NoError(c.t, testStack.PlanClean(c.ctx, machine))
}

// replaceSpec replaces the content of spec with the result of a YAML template.
func replaceSpec(t *testing.T, spec map[string]any, text string) {
	t.Helper()
	parsed, err := template.New("spec").Funcs(template.FuncMap{"uuid": testStack.Prism.UUID}).Parse(text)
	require.NoError(t, err)
	var filled bytes.Buffer
	require.NoError(t, parsed.Execute(&filled, nil))
	clear(spec)
	require.NoError(t, yaml.Unmarshal(filled.Bytes(), &spec))
}

// diskAddresses returns the adapter type, index and device type of each disk, for example "SCSI.0 DISK".
func diskAddresses(vm prismsim.VM) []string {
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
	require.Failf(c.t, "VM not found", "Prism Central has no VM %s", uuid)
	return prismsim.VM{}
}
