package module

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/renderer"
	"github.com/capnt/capnt/tfmodules/terraformtest"
)

// v3 returns the fixture with the v3 API and another provider.
func (f *fixture) v3(built toolbox.Provider) *fixture {
	other := *f
	other.api, other.provider = renderer.APIV3, built
	return &other
}

// oldProvider is a provider that has only the v3 API.
var oldProvider = toolbox.Provider{Version: terraformtest.ProviderVersion}

// eachMigratingProvider runs a test once for each provider that has both APIs. The stand-in has only the v4 API, so it cannot read the states that
// are migrated.
func eachMigratingProvider(t *testing.T, test func(f *fixture)) {
	t.Helper()
	runs := 0
	for _, built := range toolbox.V4Providers(t) {
		if built.HasV3() {
			runs++
			t.Run(built.String(), func(t *testing.T) {
				t.Parallel()
				test(newFixture(t, built, renderer.APIV4))
			})
		}
	}
	if runs == 0 {
		t.Log("no provider has both APIs: make tools PROVIDER_2=path adds one")
	}
}

// migrate writes a workspace of another API into the directory and plans the migration of the infrastructure. The plan must pass the check
// of the manager. Then migrate applies the plan and requires that the next plan finds no changes without the file that describes the
// migration.
func (d *directory) migrate(f *fixture, workspace renderer.Workspace, migration plan.Migration) plan.Record {
	d.f.t.Helper()
	d.f = f
	var imports []renderer.Import
	for address, id := range migration.Import {
		imports = append(imports, renderer.Import{Address: address, ID: id})
	}
	d.writeAll(workspace.WithMigration(imports, migration.Forget...))
	d.run("init", "-upgrade", "-input=false", "-no-color")
	file, planned := d.plan()
	require.NoError(d.f.t, migration.Check(planned, f.generation))
	record := plan.Build(plan.Origin{Generation: f.generation, Cause: plan.CauseMigrate}, file, planned)
	d.apply()
	require.NoError(d.f.t, os.Remove(filepath.Join(d.path, renderer.MigrationFile)))
	d.plansClean()
	return record
}

// resources returns the addresses of the resources in the state.
func (d *directory) resources() []string {
	d.f.t.Helper()
	return strings.Fields(string(d.run("state", "list")))
}

// allWrites returns all requests since the given number of requests that are not reads of a provider.
func (f *fixture) allWrites(since int) []string {
	var writes []string
	for _, request := range f.prism.Requests()[since:] {
		switch {
		case request.Method == http.MethodGet, request.Method == http.MethodOptions:
		case request.Method == http.MethodPost && strings.HasSuffix(request.Path, "/list"):
		default:
			writes = append(writes, request.Method+" "+request.Path)
		}
	}
	return writes
}

// A VM of each shape, which provider 1.9.5 has created through the v3 API, moves to the resource of the v4 API and back. Each way is one
// plan that Prism Central does not notice.
func TestMigrationOfVMChangesNothing(t *testing.T) {
	for name, change := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachMigratingProvider(t, func(f *fixture) {
				former, back := f.v3(oldProvider), f.v3(f.provider)
				machine, machineV4 := former.machine(), f.machine()
				change(former, &machine)
				change(f, &machineV4)
				d := former.open(former.render(machine))
				d.plan()
				d.apply()
				vm, requests := f.vm(), len(f.prism.Requests())

				d.migrate(f, f.render(machineV4), plan.Migration{
					Forget: []string{renderer.MachineAddress}, Import: map[string]string{renderer.MachineAddressV4: vm.UUID}, ID: vm.UUID})
				assert.Equal(f.t, []string{renderer.MachineAddressV4}, d.resources())
				d.migrate(back, back.render(machine), plan.Migration{
					Forget: []string{renderer.MachineAddressV4}, Import: map[string]string{renderer.MachineAddress: vm.UUID}, ID: vm.UUID})
				assert.Equal(f.t, []string{renderer.MachineAddress}, d.resources())
				assert.Empty(f.t, f.allWrites(requests))
				assert.Equal(f.t, vm, f.vm())
			})
		})
	}
}

// The plan of a migration is refused if the VM differs from its spec.
func TestMigrationOfChangedVMIsRefused(t *testing.T) {
	eachMigratingProvider(t, func(f *fixture) {
		former := f.v3(f.provider)
		d := former.open(former.render(former.machine()))
		d.plan()
		d.apply()
		machine, vm := f.machine(), f.vm()
		machine.MemoryMiB *= 2
		d.writeAll(f.render(machine).WithMigration([]renderer.Import{{Address: renderer.MachineAddressV4, ID: vm.UUID}}, renderer.MachineAddress))
		_, planned := d.plan()
		migration := plan.Migration{Forget: []string{renderer.MachineAddress}, Import: map[string]string{renderer.MachineAddressV4: vm.UUID}, ID: vm.UUID}
		err := migration.Check(planned, f.generation)
		require.ErrorContains(f.t, err, "memory_size_bytes")
		assert.ErrorContains(f.t, err, "differs from the spec")
	})
}

// The category of a cluster moves to the resource of the v4 API and back. The provider cannot import the value of a category through the
// v3 API, so it writes the value once more.
func TestMigrationOfCategory(t *testing.T) {
	eachMigratingProvider(t, func(f *fixture) {
		former, back := f.v3(oldProvider), f.v3(f.provider)
		d := former.open(former.renderCluster())
		d.plan()
		d.apply()
		category, requests := f.category(clusterKey, clusterValue), len(f.prism.Requests())

		d.migrate(f, f.renderCluster(), plan.Migration{Forget: []string{renderer.CategoryKeyAddress, renderer.CategoryValueAddress},
			Import: map[string]string{renderer.CategoryAddressV4: category.UUID}})
		assert.Equal(f.t, []string{renderer.CategoryAddressV4}, d.resources())
		assert.Empty(f.t, f.allWrites(requests))

		record := d.migrate(back, back.renderCluster(), plan.Migration{Forget: []string{renderer.CategoryAddressV4},
			Import: map[string]string{renderer.CategoryKeyAddress: clusterKey}, Upsert: []string{renderer.CategoryValueAddress}})
		assert.Equal(f.t, plan.Counts{Import: 1, Create: 1, Forget: 1, Other: 1}, record.Counts, record.Summary())
		assert.Equal(f.t, []string{renderer.CategoryKeyAddress, renderer.CategoryValueAddress}, d.resources())
		assert.Equal(f.t, []string{"PUT /api/nutanix/v3/categories/" + clusterKey + "/" + clusterValue}, f.allWrites(requests))
		assert.Equal(f.t, category, f.category(clusterKey, clusterValue))
	})
}
