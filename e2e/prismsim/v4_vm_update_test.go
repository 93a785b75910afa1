package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// updateVM changes a VM with PUT and returns the task.
func (v *vendor) updateVM(t *testing.T, id string, change func(*vmm.Vm)) tasks.Task {
	t.Helper()
	vm, _ := v.vm(t, id)
	change(&vm)
	response, err := v.vms.UpdateVmById(&id, &vm)
	require.NoError(t, err)
	return v.waitForTask(t, response.GetData())
}

// succeed waits for a task and requires that it succeeds.
func (v *vendor) succeed(t *testing.T, data any) tasks.Task {
	t.Helper()
	task := v.waitForTask(t, data)
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	return task
}

// powerOn switches a VM on.
func (v *vendor) powerOn(t *testing.T, id string) {
	t.Helper()
	_, etag := v.vm(t, id)
	response, err := v.vms.PowerOnVm(&id, match(etag))
	require.NoError(t, err)
	v.succeed(t, response.GetData())
}

func TestVendorSDKUpdatesVM(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	vm, etag := sdk.createVM(t, vmBody(t, s, "vm-1"))
	id := *vm.ExtId
	sdk.powerOn(t, id)
	task := sdk.updateVM(t, id, func(vm *vmm.Vm) {
		vm.Name, vm.Description, vm.MemorySizeBytes, vm.NumSockets = ptr("vm-2"), ptr("d"), ptr(int64(8<<30)), ptr(4)
		vm.IsAgentVm = ptr(true)
		vm.Disks, vm.Nics, vm.CdRoms, vm.Categories, vm.PowerState = nil, nil, nil, nil, vmm.POWERSTATE_OFF.Ref()
	})
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	after, next := sdk.vm(t, id)
	assert.NotEqual(t, etag, next)
	assert.Equal(t, "vm-2 d", *after.Name+" "+*after.Description)
	assert.Equal(t, []int64{8 << 30, 4, 1}, []int64{*after.MemorySizeBytes, int64(*after.NumSockets), int64(*after.NumCoresPerSocket)})
	assert.True(t, *after.IsAgentVm)
	assert.Equal(t, vmm.POWERSTATE_ON, *after.PowerState, "PUT changes neither the power state")
	assert.Equal(t, []int{1, 1, 1}, []int{len(after.Disks), len(after.Nics), len(after.CdRoms)}, "nor the devices")
	old, err := connect(t, s, nil).GetVM(t.Context(), id)
	require.NoError(t, err)
	assert.EqualValues(t, 8192, *old.Spec.Resources.MemorySizeMib, "v3 shows the change")
	assert.EqualValues(t, 1, *old.Metadata.SpecVersion)

	for name, change := range map[string]func(*vmm.Vm){
		"memory cannot be decreased":                 func(vm *vmm.Vm) { vm.MemorySizeBytes = ptr(int64(1 << 30)) },
		"cores per vCPU":                             func(vm *vmm.Vm) { vm.NumCoresPerSocket = ptr(2) },
		"numThreadsPerCore cannot":                   func(vm *vmm.Vm) { vm.NumThreadsPerCore = ptr(2) },
		"isCpuHotplugEnabled cannot":                 func(vm *vmm.Vm) { vm.IsCpuHotplugEnabled = ptr(false) },
		"an invalid argument with key 'cluster'":     func(vm *vmm.Vm) { vm.Cluster.ExtId = ptr(noEntity) },
		"an invalid argument with key 'name' and va": func(vm *vmm.Vm) { vm.Name = nil },
	} {
		task := sdk.updateVM(t, id, change)
		assert.Equal(t, tasks.TASKSTATUS_FAILED, *task.Status, name)
		assert.Contains(t, *task.ErrorMessages[0].Message, name)
	}
	unchanged, etag := sdk.vm(t, id)
	assert.Equal(t, next, etag, "a failed task changes nothing")
	assert.Equal(t, after, unchanged)
}

func TestUpdateNeedsCurrentETag(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	vm, _ := sdk.createVM(t, vmBody(t, s, "vm-1"))
	old, _ := sdk.vm(t, *vm.ExtId)
	sdk.updateVM(t, *vm.ExtId, func(vm *vmm.Vm) { vm.Description = ptr("another client") })
	_, err := sdk.vms.UpdateVmById(vm.ExtId, &old)
	require.ErrorContains(t, err, "VM_ETAG_MISMATCH")
	old.Reserved_ = nil
	_, err = sdk.vms.UpdateVmById(vm.ExtId, &old)
	require.ErrorContains(t, err, "MISSING_ETAG_HEADER")

	current, _ := sdk.vm(t, *vm.ExtId)
	setFault(t, s, prismsim.Fault{Method: http.MethodPut, Path: "/vms/[^/]+$", Conflict: true, Times: 1})
	_, err = sdk.vms.UpdateVmById(vm.ExtId, &current)
	require.ErrorContains(t, err, "VM_ETAG_MISMATCH", "a fault makes the ETag outdated once")
	_, err = sdk.vms.UpdateVmById(vm.ExtId, &current)
	require.NoError(t, err)
}

func TestVendorSDKChangesCategories(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	body := vmBody(t, s, "vm-1")
	body.Categories = categoryRefs(t, s, [2]string{"Environment", "Testing"})
	vm, etag := sdk.createVM(t, body)
	id := *vm.ExtId
	add := vmm.NewAssociateVmCategoriesParams()
	add.Categories = categoryRefs(t, s, [2]string{"Environment", "Staging"}, [2]string{"AppTier", "Default"})
	added, err := sdk.vms.AssociateCategories(&id, add, match(etag))
	require.NoError(t, err)
	sdk.succeed(t, added.GetData())
	assert.Equal(t, map[string][]string{"Environment": {"Testing", "Staging"}, "AppTier": {"Default"}}, vmView(t, s, id).CategoryValues)
	_, err = sdk.vms.AssociateCategories(&id, add, match(etag))
	require.ErrorContains(t, err, "VM_ETAG_MISMATCH")

	remove := vmm.NewDisassociateVmCategoriesParams()
	remove.Categories = categoryRefs(t, s, [2]string{"Environment", "Testing"}, [2]string{"AppTier", "Default"})
	_, etag = sdk.vm(t, id)
	removed, err := sdk.vms.DisassociateCategories(&id, remove, match(etag))
	require.NoError(t, err)
	sdk.succeed(t, removed.GetData())
	assert.Equal(t, map[string][]string{"Environment": {"Staging"}}, vmView(t, s, id).CategoryValues)

	_, etag = sdk.vm(t, id)
	remove.Categories = []vmm.CategoryReference{{ExtId: ptr(noEntity)}}
	failed, err := sdk.vms.DisassociateCategories(&id, remove, match(etag))
	require.NoError(t, err)
	assert.Contains(t, *sdk.waitForTask(t, failed.GetData()).ErrorMessages[0].Message, "key 'category'")
}

func TestVendorSDKRestartsVM(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	vm, _ := sdk.createVM(t, vmBody(t, s, "vm-1"))
	id := *vm.ExtId
	sdk.powerOn(t, id)
	for name, test := range map[string]struct {
		send func(args map[string]any) (interface{ GetData() any }, error)
		want vmm.PowerState
	}{
		"reboot":      {func(a map[string]any) (interface{ GetData() any }, error) { return sdk.vms.RebootVm(&id, a) }, vmm.POWERSTATE_ON},
		"reset":       {func(a map[string]any) (interface{ GetData() any }, error) { return sdk.vms.ResetVm(&id, a) }, vmm.POWERSTATE_ON},
		"power-cycle": {func(a map[string]any) (interface{ GetData() any }, error) { return sdk.vms.PowerCycleVm(&id, a) }, vmm.POWERSTATE_ON},
		"shutdown":    {func(a map[string]any) (interface{ GetData() any }, error) { return sdk.vms.ShutdownVm(&id, a) }, vmm.POWERSTATE_OFF},
		"guest reboot": {func(a map[string]any) (interface{ GetData() any }, error) {
			return sdk.vms.RebootGuestVm(&id, vmm.NewGuestPowerOptions(), a)
		}, vmm.POWERSTATE_ON},
	} {
		sdk.powerOn(t, id)
		_, etag := sdk.vm(t, id)
		response, err := test.send(match(etag))
		require.NoError(t, err, name)
		sdk.succeed(t, response.GetData())
		vm, _ := sdk.vm(t, id)
		assert.Equal(t, test.want, *vm.PowerState, name)
	}
	_, etag := sdk.vm(t, id)
	off, err := sdk.vms.PowerOffVm(&id, match(etag))
	require.NoError(t, err)
	sdk.succeed(t, off.GetData())
	_, etag = sdk.vm(t, id)
	response, err := sdk.vms.ResetVm(&id, match(etag))
	require.NoError(t, err)
	assert.Contains(t, *sdk.waitForTask(t, response.GetData()).ErrorMessages[0].Message, "not in a state to be restarted")
}
