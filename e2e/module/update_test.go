package module

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/renderer"
)

// A change of class None never switches a VM off. If a user has switched off the VM, the provider generation determines
// whether the change switches the VM on.
func TestUpdateOfClassNoneNeverSwitchesVMOff(t *testing.T) {
	eachProvider(t, func(f *fixture) {
		machine := f.machine()
		d := f.open(f.render(machine))
		d.plan()
		d.apply()
		update := func(powerState string) {
			workspace := f.render(machine)
			if f.api == renderer.APIV4 {
				workspace = workspace.WithObserved(nil, powerState)
			}
			d.writeAll(workspace)
			record := d.record()
			require.EqualValues(f.t, 1, record.Counts.Update, record.Summary())
			require.Equal(f.t, provider.None, record.Disruption, record.Summary())
			d.apply()
		}

		machine.Name, machine.Description = "machine-2", "another mark"
		categories := map[string]string{"Environment": "Production", "AppTier": "Default"}
		f.setCategories(&machine, categories)
		update("ON")
		vm := f.prism.VMs()[0]
		assert.Equal(f.t, "ON", vm.PowerState)
		assert.Equal(f.t, machine.Name, vm.Name)
		assert.Equal(f.t, categories, vm.Categories)
		f.neverOff()

		require.NoError(f.t, f.prism.PowerOff(vm.UUID))
		machine.Description = "a third mark"
		update("OFF")
		assert.Equal(f.t, f.generation.SwitchesOnWithEveryUpdate, f.prism.VMs()[0].PowerState == "ON")
	})
}

// neverOff requires that at least one request changed a VM and that no request switched a VM off.
func (f *fixture) neverOff() {
	f.t.Helper()
	changes := 0
	for _, request := range f.prism.Requests() {
		if request.Method == http.MethodPut && strings.Contains(request.Path, "/vms/") {
			changes++
		}
		assert.NotContains(f.t, string(request.Body), `"power_state":"OFF"`)
		assert.NotContains(f.t, request.Path, "/power-off")
	}
	assert.Positive(f.t, changes)
}
