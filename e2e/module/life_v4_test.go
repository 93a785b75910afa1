package module

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/renderer"
)

// The workspace of a machine of each shape creates one VM and switches it on. Then it plans clean whatever Prism Central shows and others
// do, updates what can change, and leaves nothing behind.
func TestLifeOfVMThroughV4(t *testing.T) {
	changes := shapes()
	changes["secure boot"] = func(_ *fixture, m *renderer.Machine) { m.BootType = renderer.BootSecure }
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachV4Provider(t, func(f *fixture) {
				cluster := f.open(f.renderCluster())
				cluster.plan()
				cluster.apply()
				machine := f.machine()
				machine.CategoryRefs = append(machine.CategoryRefs, f.category(clusterKey, clusterValue))
				change(f, &machine)

				d := f.open(f.render(machine))
				f.createsMachine(d, machine)
				f.plansCleanWhateverPrismCentralShows(d)
				f.plansCleanWhateverOthersDo(d, machine)
				f.updatesMachine(d, machine)
				f.destroysEverything(d, cluster)
			})
		})
	}
}

const clusterKey, clusterValue = "KubernetesClusterName", "c1"

// renderCluster renders the category of a cluster.
func (f *fixture) renderCluster() renderer.Workspace {
	f.t.Helper()
	workspace, err := renderer.RenderCluster(f.settings(), renderer.Cluster{CategoryKey: clusterKey, CategoryValue: clusterValue})
	require.NoError(f.t, err)
	return workspace
}

// vm returns the only VM in Prism Central.
func (f *fixture) vm() prismsim.VM {
	f.t.Helper()
	vms := f.prism.VMs()
	require.Len(f.t, vms, 1)
	return vms[0]
}

// createsMachine requires that one apply creates the VM of the machine with one create request, and that the next plan finds no change.
func (f *fixture) createsMachine(d *directory, machine renderer.Machine) {
	f.t.Helper()
	before := len(f.prism.Requests())
	record := d.record()
	assert.Len(f.t, f.prism.Requests(), before, "the plan of a create sends no request")
	assert.Equal(f.t, plan.Counts{Create: 1, Other: 4}, record.Counts, record.Summary())
	d.apply()
	f.logRequests("apply of the create", before)
	assert.Equal(f.t, []string{"POST vms", "POST vms/{id}/$actions/power-on"}, f.changes(before))
	vm := f.vm()
	f.matches(vm, machine)
	assert.Equal(f.t, map[string]any{"vm_uuid": vm.UUID, "name": vm.Name, "addresses": addressesOf(vm), "power_state": "ON"}, d.outputs())

	before = len(f.prism.Requests())
	d.plansClean()
	f.logRequests("plan without changes", before)
}

// matches requires that a new VM is on and has everything that its machine asks for.
func (f *fixture) matches(vm prismsim.VM, machine renderer.Machine) {
	f.t.Helper()
	assert.Equal(f.t, "ON", vm.PowerState)
	assert.Equal(f.t, machine.Name, vm.Name)
	assert.Equal(f.t, machine.Description, vm.Description)
	assert.Equal(f.t, machine.PrismElement.Name, vm.PrismElement)
	assert.Equal(f.t, []int64{int64(machine.Sockets), int64(machine.VCPUsPerSocket), machine.MemoryMiB},
		[]int64{int64(vm.Sockets), int64(vm.VCPUsPerSocket), vm.MemoryMiB})
	assert.Equal(f.t, map[string]string{"Environment": "Testing", clusterKey: clusterValue}, vm.Categories)
	assert.Equal(f.t, machine.CloudInit, len(vm.UserData) > 0)
	assert.Len(f.t, vm.GPUs, len(machine.GPUs))
	if machine.BootType != "" {
		assert.Equal(f.t, machine.BootType, vm.BootType)
	}
	if machine.Project != nil {
		assert.Equal(f.t, machine.Project.Name, vm.Project)
	}
	require.Len(f.t, vm.NICs, len(machine.Subnets))
	for i, nic := range vm.NICs {
		assert.Equal(f.t, machine.Subnets[i].Name, nic.Subnet)
	}
	f.hasDisks(vm, machine)
}

// hasDisks requires that a VM has the disks of a machine, and a CD-ROM for cloud-init if the machine uses it.
func (f *fixture) hasDisks(vm prismsim.VM, machine renderer.Machine) {
	f.t.Helper()
	disks := vm.Disks
	if machine.CloudInit {
		at := slices.IndexFunc(disks, func(disk prismsim.Disk) bool {
			return disk.DeviceType == "CDROM" && disk.AdapterType == "IDE" && disk.Index == 3
		})
		require.GreaterOrEqual(f.t, at, 0, "the CD-ROM of cloud-init")
		disks = slices.Delete(slices.Clone(disks), at, at+1)
	}
	require.Len(f.t, disks, len(machine.Disks))
	for _, want := range machine.Disks {
		at := slices.IndexFunc(disks, func(disk prismsim.Disk) bool {
			return disk.AdapterType == want.AdapterType && disk.Index == int64(want.Index)
		})
		require.GreaterOrEqual(f.t, at, 0, "%s.%d", want.AdapterType, want.Index)
		assert.Equal(f.t, want.DeviceType, disks[at].DeviceType)
		if want.SizeMiB > 0 {
			assert.Equal(f.t, want.SizeMiB, disks[at].SizeMiB)
		}
		if want.Image != nil {
			assert.Equal(f.t, want.Image.UUID, disks[at].Image)
		}
		if want.StorageContainer != nil {
			assert.Contains(f.t, []string{want.StorageContainer.UUID, want.StorageContainer.Name}, disks[at].StorageContainer)
		}
	}
}

// plansCleanWhateverPrismCentralShows requires that the workspace plans clean with and without the guest customization in responses.
func (f *fixture) plansCleanWhateverPrismCentralShows(d *directory) {
	f.t.Helper()
	for _, show := range []bool{true, false} {
		rules := f.prism.Rules()
		rules.ShowGuestCustomization = show
		f.prism.SetRules(rules)
		d.plansClean()
	}
}

// plansCleanWhateverOthersDo requires that the workspace plans clean after others attached a volume, added an interface, categories and
// guest tools, and switched the VM off and on.
func (f *fixture) plansCleanWhateverOthersDo(d *directory, machine renderer.Machine) {
	f.t.Helper()
	vm := f.vm()
	group, err := f.prism.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc-1", PrismElement: vm.PrismElement})
	require.NoError(f.t, err)
	require.NoError(f.t, f.prism.AttachVolumeGroup(group, vm.UUID))
	f.changeThroughV4(vm.UUID, http.MethodPost, "/nics", func(map[string]any) map[string]any {
		subnet := map[string]any{"extId": f.ref("subnet", "storage-network").UUID}
		return map[string]any{"networkInfo": map[string]any{"nicType": "NORMAL_NIC", "subnet": subnet}}
	})
	f.changeThroughV4(vm.UUID, http.MethodPut, "", func(vm map[string]any) map[string]any {
		vm["guestTools"] = map[string]any{"$objectType": "vmm.v4.ahv.config.GuestTools", "isEnabled": true, "version": "4.5"}
		return vm
	})
	require.NoError(f.t, f.prism.ChangeVM(vm.UUID, prismsim.VMChange{Categories: map[string][]string{"Team": {"a", "b"}}}))
	foreign := []renderer.Ref{f.category("Team", "a"), f.category("Team", "b")}

	d.writeAll(f.render(machine).WithObserved(foreign, "ON"))
	d.changesOnlyOutputs()
	require.NoError(f.t, f.prism.PowerOff(vm.UUID))
	d.writeAll(f.render(machine).WithObserved(foreign, "OFF"))
	d.changesOnlyOutputs()
	require.NoError(f.t, f.prism.PowerOn(vm.UUID))
	d.writeAll(f.render(machine).WithObserved(foreign, "ON"))
	requests := len(f.prism.Requests())
	d.changesOnlyOutputs()
	d.apply()
	assert.Empty(f.t, f.changes(requests))
	assert.Equal(f.t, addressesOf(f.vm()), d.outputs()["addresses"])
	d.plansClean()
}

// changesOnlyOutputs requires that a plan changes no resource. The outputs follow what Prism Central shows.
func (d *directory) changesOnlyOutputs() {
	d.f.t.Helper()
	record := d.record()
	record.Counts.Other = 0
	require.Equal(d.f.t, plan.Counts{}, record.Counts, record.Summary())
}

// addressesOf returns the IPv4 addresses of a VM as they are in outputs. Provider 2.4.2 has an attribute for IPv6 addresses, but never sets
// it.
func addressesOf(vm prismsim.VM) []any {
	addresses := []any{}
	for _, nic := range vm.NICs {
		for _, address := range nic.IPs {
			if netip.MustParseAddr(address).Is4() {
				addresses = append(addresses, address)
			}
		}
	}
	return addresses
}

// updatesMachine requires that an update changes the VM in place, without switching it off, and keeps what others did.
func (f *fixture) updatesMachine(d *directory, machine renderer.Machine) {
	f.t.Helper()
	before := f.vm()
	machine.Name, machine.Description = "machine-2", "another mark"
	machine.CategoryRefs = []renderer.Ref{f.category("Environment", "Production"), f.category(clusterKey, clusterValue)}
	foreign := []renderer.Ref{f.category("Team", "a"), f.category("Team", "b")}
	d.writeAll(f.render(machine).WithObserved(foreign, "ON"))
	record := d.record()
	require.Equal(f.t, provider.None, record.Disruption, record.Summary())
	requests := len(f.prism.Requests())
	d.apply()
	f.logRequests("update of name, description and categories", requests)
	assert.Equal(f.t, []string{
		"PUT vms/{id}", "POST vms/{id}/$actions/disassociate-categories", "POST vms/{id}/$actions/associate-categories",
	}, f.changes(requests))

	machine.MemoryMiB, machine.Sockets = machine.MemoryMiB*2, machine.Sockets+1
	d.writeAll(f.render(machine).WithObserved(foreign, "ON"))
	record = d.record()
	require.Equal(f.t, provider.PowerCycle, record.Disruption, record.Summary())
	require.EqualValues(f.t, 1, record.Counts.Update, record.Summary())
	requests = len(f.prism.Requests())
	d.apply()
	f.logRequests("more memory and sockets", requests)
	assert.Equal(f.t, []string{"PUT vms/{id}"}, f.changes(requests))

	vm := f.vm()
	assert.Equal(f.t, before.UUID, vm.UUID)
	assert.Equal(f.t, "ON", vm.PowerState)
	assert.Equal(f.t, []any{"machine-2", "another mark", machine.MemoryMiB, int(machine.Sockets)},
		[]any{vm.Name, vm.Description, vm.MemoryMiB, vm.Sockets})
	assert.Equal(f.t, map[string][]string{"Environment": {"Production"}, clusterKey: {clusterValue}, "Team": {"a", "b"}}, vm.CategoryValues)
	assert.Equal(f.t, before.Disks, vm.Disks)
	assert.Equal(f.t, before.NICs, vm.NICs)
	assert.Equal(f.t, before.GPUs, vm.GPUs)
	d.plansClean()
}

// destroysEverything requires that the VM and the category of the cluster are gone after the workspaces were destroyed. The volume group is
// detached first, as the manager does.
func (f *fixture) destroysEverything(d, cluster *directory) {
	f.t.Helper()
	groups := f.prism.VolumeGroups()
	require.Len(f.t, groups, 1)
	require.NoError(f.t, f.prism.DetachVolumeGroup(groups[0].UUID, f.vm().UUID))
	requests := len(f.prism.Requests())
	d.destroy()
	f.logRequests("destroy of the VM", requests)
	assert.Equal(f.t, []string{"DELETE vms/{id}"}, f.changes(requests))
	assert.Empty(f.t, f.prism.VMs())

	requests = len(f.prism.Requests())
	cluster.destroy()
	f.logRequests("destroy of the category", requests)
	assert.Empty(f.t, f.prism.CategoryValues(clusterKey))
	assert.Len(f.t, f.prism.VolumeGroups(), 1, "the volume group is not ours")
	for _, directory := range []*directory{d, cluster} {
		assert.Empty(f.t, strings.TrimSpace(string(directory.run("state", "list"))))
	}
}

var idInPath = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// changes returns the requests for VMs since the given number of requests that are not reads.
func (f *fixture) changes(since int) []string {
	var changes []string
	for _, request := range f.prism.Requests()[since:] {
		_, path, vmm := strings.Cut(request.Path, "/ahv/config/")
		if vmm && request.Method != http.MethodGet && request.Method != http.MethodOptions {
			changes = append(changes, request.Method+" "+idInPath.ReplaceAllString(path, "{id}"))
		}
	}
	return changes
}

// logRequests logs the number of requests since the given number of requests, by method.
func (f *fixture) logRequests(what string, since int) {
	f.t.Helper()
	counts := map[string]int{}
	for _, request := range f.prism.Requests()[since:] {
		counts[request.Method]++
	}
	content, err := json.Marshal(counts)
	require.NoError(f.t, err)
	f.t.Logf("%s: requests %s", what, content)
}
