package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

// richSpec uses every field of a machine.
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

// A machine with everything that a NutanixMachine can say is made as it says, and a plan finds nothing to change.
func TestMachineWithEverythingPlansClean(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "shapes")
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
	assert.Equal(t, map[string]string{"KubernetesClusterName": "shapes", "Environment": "Testing", "AppTier": "Database"}, vm.Categories)
	assert.Equal(t, []string{"Tesla T4"}, vm.GPUs)
	var subnets []string
	for _, nic := range vm.NICs {
		subnets = append(subnets, nic.Subnet)
	}
	assert.Equal(t, []string{"vm-network", "dual-stack-network", "overlay-network"}, subnets)
	assert.Len(t, vm.Disks, 5, "system disk, three data disks, the CD-ROM of cloud-init")
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
