package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/toolbox"
)

// TestKeepPower_WithProvider2 uses provider 2.4 or its stand-in. This provider creates a VM switched off and then switches it on, and
// switches a VM off for some updates.
func TestKeepPower_WithProvider2(t *testing.T) {
	eachV4Provider(t, func(t *testing.T, provider toolbox.Provider) {
		sim := newV4Sim(t)
		element, err := sim.UUID("cluster", "pe")
		require.NoError(t, err)
		subnet, err := sim.UUID("subnet", "net")
		require.NoError(t, err)
		creates, gateway, workspace := &recorder{}, start(t), newWorkspaceWith(t, provider, v4Config(provider, ""))
		apply := func(description string, memoryMiB int) (string, error) {
			workspace.write(t, "main.tf", v4Config(provider, fmt.Sprintf(`
resource "nutanix_virtual_machine_v2" "this" {
  name                 = "m-1"
  description          = %q
  num_sockets          = 1
  num_cores_per_socket = 1
  memory_size_bytes    = %d
  cluster { ext_id = %q }
  nics {
    nic_network_info {
      virtual_ethernet_nic_network_info {
        nic_type  = "NORMAL_NIC"
        vlan_mode = "ACCESS"
        subnet { ext_id = %q }
      }
    }
  }
}
`, description, memoryMiB<<20, element, subnet)))
			run := open(t, gateway, RunOptions{Mode: KeepPower, Creates: creates, Upstream: Upstream{
				Address: sim.Address(), CABundle: sim.CABundle(), Username: sim.Username(), Password: "pw"}})
			defer run.Close()
			output, err := workspace.run(t, run, "apply", "-auto-approve", "-input=false", "-no-color")
			return errorsOf(output), err
		}
		now := func() prismsim.VM {
			require.Len(t, sim.VMs(), 1)
			return sim.VMs()[0]
		}
		powerRequests := func() (count int) {
			for _, request := range sim.Requests() {
				if strings.Contains(request.Path, "/$actions/power") {
					count++
				}
			}
			return count
		}

		output, err := apply("created", 1024)
		require.NoError(t, err, output)
		assert.Equal(t, "ON", now().PowerState)
		assert.Equal(t, 1, powerRequests())
		require.Len(t, creates.recorded(), 3)
		assert.Contains(t, creates.recorded()[2], now().UUID)

		output, err = apply("edited", 1024)
		require.NoError(t, err, output)
		assert.Equal(t, "edited", now().Description)

		// The provider would switch the VM off for less memory. It repeats a refused request ten times and then ignores the refusal.
		output, err = apply("edited", 512)
		require.Error(t, err, output)
		assert.Contains(t, output, "is powered on")
		assert.Equal(t, "ON", now().PowerState)
		assert.Equal(t, 1, powerRequests(), "no other power request reached Prism Central")
	})
}
