package module

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/renderer"
)

// An interrupted create leaves a VM that is off and that no state contains. Its import switches it on.
func TestImportOfInterruptedCreateSwitchesVMOn(t *testing.T) {
	eachV4Provider(t, func(f *fixture) {
		made := f.open(f.render(f.machine()))
		made.plan()
		made.apply()
		vm := f.vm()
		require.NoError(f.t, f.prism.PowerOff(vm.UUID))

		d := f.open(f.render(f.machine()).WithImport(f.api.MachineAddress(), vm.UUID))
		record := d.record()
		assert.Equal(f.t, plan.Counts{Import: 1, Update: 1, Other: 4}, record.Counts, record.Summary())
		require.Len(f.t, record.Changes[0].Attributes, 1)
		assert.Equal(f.t, "power_state", record.Changes[0].Attributes[0].Path)
		requests := len(f.prism.Requests())
		d.apply()
		assert.Equal(f.t, []string{"POST vms/{id}/$actions/power-on"}, f.changes(requests))
		assert.Equal(f.t, "ON", f.vm().PowerState)
		d.plansClean()
	})
}

// The stored states contain no guest customization. A plan finds no change, whether or not Prism Central shows it.
func TestPlansCleanWithoutGuestCustomizationInState(t *testing.T) {
	eachV4Provider(t, func(f *fixture) {
		f.prism.ChangeRules(func(rules *prismsim.Rules) { rules.ShowGuestCustomization = true })
		d := f.open(f.render(f.machine()))
		d.plan()
		d.apply()
		file := filepath.Join(d.path, "terraform.tfstate")
		content, err := os.ReadFile(file)
		require.NoError(f.t, err)
		require.Contains(f.t, string(content), userData)

		require.NoError(f.t, os.WriteFile(file, withoutGuestCustomization(f.t, content), 0o600))
		d.plansClean()
		f.prism.ChangeRules(func(rules *prismsim.Rules) { rules.ShowGuestCustomization = false })
		d.plansClean()
	})
}

// withoutGuestCustomization returns a state without the guest customization of the VM.
func withoutGuestCustomization(t *testing.T, content []byte) []byte {
	t.Helper()
	var state map[string]any
	require.NoError(t, json.Unmarshal(content, &state))
	resource := state["resources"].([]any)[0].(map[string]any)
	attributes := resource["instances"].([]any)[0].(map[string]any)["attributes"].(map[string]any)
	require.NotEmpty(t, attributes["guest_customization"])
	attributes["guest_customization"] = []any{}
	edited, err := json.Marshal(state)
	require.NoError(t, err)
	require.NotContains(t, string(edited), userData)
	return edited
}

// Less memory switches the VM off and on. A VM that is off stays off.
func TestLessMemoryKeepsPowerStateThroughV4(t *testing.T) {
	eachV4Provider(t, func(f *fixture) {
		machine := f.machine()
		d := f.open(f.render(machine))
		d.plan()
		d.apply()
		for _, state := range []string{"ON", "OFF"} {
			if state == "OFF" {
				require.NoError(f.t, f.prism.PowerOff(f.vm().UUID))
			}
			machine.MemoryMiB /= 2
			d.writeAll(f.render(machine).WithObserved(nil, state))
			record := d.record()
			require.Equal(f.t, provider.PowerCycle, record.Disruption, record.Summary())
			d.apply()
			assert.Equal(f.t, machine.MemoryMiB, f.vm().MemoryMiB)
			assert.Equal(f.t, state, f.vm().PowerState)
			d.plansClean()
		}
	})
}

// The provider cannot create a category that exists. The workspace of the cluster adopts it by an import, which changes nothing.
func TestExistingCategoryIsAdoptedThroughV4(t *testing.T) {
	eachV4Provider(t, func(f *fixture) {
		f.prism.AddCategory(clusterKey, clusterValue)
		refused := f.open(f.renderCluster())
		refused.plan()
		assert.Contains(f.t, refused.fails("apply", "-input=false", "-no-color", "plan.tfplan"), "error while creating category")

		category := f.category(clusterKey, clusterValue)
		d := f.open(f.renderCluster().WithImport(renderer.CategoryAddressV4, category.UUID))
		record := d.record()
		assert.Equal(f.t, plan.Counts{Import: 1, Other: 3}, record.Counts, record.Summary())
		d.apply()
		outputs := map[string]any{"category_key": clusterKey, "category_value": clusterValue, "category_uuid": category.UUID}
		assert.Equal(f.t, outputs, d.outputs())
		d.plansClean()
		d.destroy()
		assert.Empty(f.t, f.prism.CategoryValues(clusterKey))
	})
}
