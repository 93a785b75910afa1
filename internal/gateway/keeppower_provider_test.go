package gateway

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

const keepPowerInventory = `
prismElements: [{name: pe}]
subnets:
- {name: net, prismElement: pe, cidr: 127.50.1.0/24, ipam: true, pools: [127.50.1.10-127.50.1.20]}
`

// livingVM is a VM that provider 1.9.5 created through a gateway in front of a simulated Prism Central.
type livingVM struct {
	t         *testing.T
	sim       *prismsim.Server
	gateway   *Gateway
	workspace *workspace
	uuid      string
}

func newLivingVM(t *testing.T) *livingVM {
	t.Helper()
	inventory, err := prismsim.ParseInventory([]byte(keepPowerInventory))
	require.NoError(t, err)
	sim, err := prismsim.New(prismsim.Options{Inventory: inventory, Password: "pw"})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	require.NoError(t, sim.Start(t.Context()))
	sim.RecordBodies(true)
	vm := &livingVM{t: t, sim: sim, gateway: startForProvider(t), workspace: newWorkspace(t, "")}
	vm.configure("created", 1)
	output, err := vm.apply(ReadWrite)
	require.NoError(t, err, output)
	require.Len(t, sim.VMs(), 1)
	vm.uuid = sim.VMs()[0].UUID
	return vm
}

func (v *livingVM) configure(description string, coresPerSocket int) {
	v.t.Helper()
	element, err := v.sim.UUID("cluster", "pe")
	require.NoError(v.t, err)
	subnet, err := v.sim.UUID("subnet", "net")
	require.NoError(v.t, err)
	v.workspace.write(v.t, "main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    nutanix = {
      source  = "registry.terraform.io/nutanix/nutanix"
      version = "1.9.5"
    }
  }
}

provider "nutanix" {}

resource "nutanix_virtual_machine" "this" {
  name                 = "m-1"
  description          = %q
  cluster_uuid         = %q
  num_sockets          = 1
  num_vcpus_per_socket = %d
  memory_size_mib      = 1024

  nic_list {
    subnet_uuid = %q
  }
}
`, description, element, coresPerSocket, subnet))
	output, err := v.workspace.run(v.t, nil, "init", "-input=false", "-no-color")
	require.NoError(v.t, err, output)
}

func (v *livingVM) apply(mode Mode) (string, error) {
	v.t.Helper()
	session := open(v.t, v.gateway, RunOptions{Mode: mode, Upstream: Upstream{
		Address: v.sim.Address(), CABundle: v.sim.CABundle(), Username: v.sim.Username(), Password: "pw"}})
	defer session.Close()
	return v.workspace.run(v.t, session, "apply", "-auto-approve", "-input=false", "-no-color")
}

func (v *livingVM) now() prismsim.VM {
	v.t.Helper()
	vms := v.sim.VMs()
	require.Len(v.t, vms, 1)
	require.Equal(v.t, v.uuid, vms[0].UUID)
	return vms[0]
}

// changes returns the number of requests to Prism Central that changed the VM.
func (v *livingVM) changes() int {
	n := 0
	for _, request := range v.sim.Requests() {
		if request.Path == v3CreatePath+"/"+v.uuid && request.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// TestKeepPower_WithProvider195 uses the real provider 1.9.5. This provider switches a VM off for some updates, and sends a request to
// switch it on after every update.
func TestKeepPower_WithProvider195(t *testing.T) {
	vm := newLivingVM(t)

	vm.configure("edited", 1)
	output, err := vm.apply(KeepPower)
	require.NoError(t, err, output)
	assert.Equal(t, "edited", vm.now().Description)
	assert.Equal(t, "ON", vm.now().PowerState)
	changes := vm.changes()
	assert.Equal(t, 2, changes, "the provider sends the change and then ON")

	vm.configure("edited", 2)
	output, err = vm.apply(KeepPower)
	require.Error(t, err, output)
	assert.Contains(t, output, ReasonPowerState)
	assert.Contains(t, output, "power state to OFF")
	assert.Equal(t, "ON", vm.now().PowerState)
	assert.Equal(t, changes, vm.changes(), "a cold update is refused before the VM is switched off")

	require.NoError(t, vm.sim.PowerOff(vm.uuid))
	vm.configure("edited again", 1)
	output, err = vm.apply(KeepPower)
	require.Error(t, err, output)
	assert.Contains(t, output, ReasonPowerState)
	assert.Equal(t, "OFF", vm.now().PowerState)
	assert.Equal(t, "edited", vm.now().Description)
	assert.Equal(t, changes, vm.changes(), "a VM that is switched off is not updated")
}
