package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// blankDisk returns a disk without an image.
func blankDisk(t *testing.T, size int64, index int) *vmm.Disk {
	t.Helper()
	backing, disk := vmm.NewVmDisk(), vmm.NewDisk()
	backing.DiskSizeBytes = &size
	require.NoError(t, disk.SetBackingInfo(*backing))
	disk.DiskAddress = vmm.NewDiskAddress()
	disk.DiskAddress.BusType, disk.DiskAddress.Index = vmm.DISKBUSTYPE_SCSI.Ref(), &index
	return disk
}

// response is the response of the SDK to a change.
type response interface{ GetData() any }

// change sends a change with the current ETag of the VM, waits for its task and returns the task.
func (v *vendor) change(t *testing.T, id string, send func(args map[string]any) (response, error)) tasks.Task {
	t.Helper()
	_, etag := v.vm(t, id)
	answer, err := send(match(etag))
	require.NoError(t, err)
	return v.waitForTask(t, answer.GetData())
}

func TestVendorSDKChangesDisks(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	vm, _ := sdk.createVM(t, vmBody(t, s, "vm-1"))
	id := *vm.ExtId
	sdk.powerOn(t, id)
	task := sdk.change(t, id, func(args map[string]any) (response, error) {
		return sdk.vms.CreateDisk(&id, blankDisk(t, 1<<30, 1), args)
	})
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	assert.Equal(t, []string{"vmm:ahv:config:vm", "vmm:ahv:config:vm:disk"}, []string{*task.EntitiesAffected[0].Rel, *task.EntitiesAffected[1].Rel})
	list, err := sdk.vms.ListDisksByVmId(&id, nil, nil)
	require.NoError(t, err)
	disks := list.GetData().([]vmm.Disk)
	require.Len(t, disks, 2)
	assert.Equal(t, *task.EntitiesAffected[1].ExtId, *disks[1].ExtId)

	system := disks[0].ExtId
	got, err := sdk.vms.GetDiskById(&id, system)
	require.NoError(t, err)
	disk := got.GetData().(vmm.Disk)
	backing := disk.BackingInfo.GetValue().(vmm.VmDisk)
	backing.DataSource, backing.DiskSizeBytes = nil, ptr(int64(60<<30))
	require.NoError(t, disk.SetBackingInfo(backing))
	task = sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.UpdateDiskById(&id, system, &disk, args) })
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	after, _ := sdk.vm(t, id)
	grown := after.Disks[0].BackingInfo.GetValue().(vmm.VmDisk)
	assert.EqualValues(t, 60<<30, *grown.DiskSizeBytes)
	assert.NotNil(t, grown.DataSource, "the disk is still shown as a copy of its image")
	backing.DiskSizeBytes = ptr(int64(1 << 30))
	require.NoError(t, disk.SetBackingInfo(backing))
	disk.Reserved_ = nil // the SDK prefers the ETag of the body, which is old
	task = sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.UpdateDiskById(&id, system, &disk, args) })
	assert.Contains(t, *task.ErrorMessages[0].Message, "Can't shrink disk")

	task = sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.DeleteDiskById(&id, disks[1].ExtId, args) })
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	_, err = sdk.vms.GetDiskById(&id, disks[1].ExtId)
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
}

func TestVendorSDKChangesNICs(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	vm, _ := sdk.createVM(t, vmBody(t, s, "vm-1"))
	id := *vm.ExtId
	sdk.powerOn(t, id)
	nic := nicOn(t, s, "dual-stack-network")
	task := sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.CreateNic(&id, &nic, args) })
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	list, err := sdk.vms.ListNicsByVmId(&id, nil, nil, nil)
	require.NoError(t, err)
	nics := list.GetData().([]vmm.Nic)
	require.Len(t, nics, 2)
	assert.Len(t, vmView(t, s, id).NICs[1].IPs, 2, "a running VM learns the IPv6 address, too")

	got, err := sdk.vms.GetNicById(&id, nics[1].ExtId)
	require.NoError(t, err)
	changed := got.GetData().(vmm.Nic)
	network := changed.NicNetworkInfo.GetValue().(vmm.VirtualEthernetNicNetworkInfo)
	network.Subnet.ExtId, network.Ipv4Config, network.Ipv4Info = ptr(named(t, s, "subnet", "storage-network")), nil, nil
	require.NoError(t, changed.SetNicNetworkInfo(network))
	task = sdk.change(t, id, func(args map[string]any) (response, error) {
		return sdk.vms.UpdateNicById(&id, nics[1].ExtId, &changed, args)
	})
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	view := vmView(t, s, id).NICs[1]
	assert.Equal(t, "storage-network", view.Subnet)
	assert.Equal(t, *nics[1].ExtId, view.UUID, "the NIC keeps its ID")
	assert.Equal(t, *nics[1].BackingInfo.MacAddress, view.MAC, "and its MAC address")

	wrong := nicOn(t, s, "vm-network-2")
	task = sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.CreateNic(&id, &wrong, args) })
	assert.Contains(t, *task.ErrorMessages[0].Message, "key 'subnet'", "a subnet of another Prism Element")
	task = sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.DeleteNicById(&id, nics[0].ExtId, args) })
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	assert.Len(t, vmView(t, s, id).NICs, 1)
}

func TestVendorSDKChangesColdDevices(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	vm, _ := sdk.createVM(t, vmBody(t, s, "vm-1"))
	id := *vm.ExtId
	gpu, port, cdrom := vmm.NewGpu(), vmm.NewSerialPort(), vmm.NewCdRom()
	gpu.Mode, gpu.Vendor, gpu.DeviceId = vmm.GPUMODE_PASSTHROUGH_COMPUTE.Ref(), vmm.GPUVENDOR_NVIDIA.Ref(), ptr(7864)
	port.Index, port.IsConnected = ptr(0), ptr(true)
	cdrom.DiskAddress = vmm.NewCdRomAddress()
	cdrom.DiskAddress.BusType = vmm.CDROMBUSTYPE_SATA.Ref()
	adds := map[string]func(args map[string]any) (response, error){
		"Gpu":        func(args map[string]any) (response, error) { return sdk.vms.CreateGpu(&id, gpu, args) },
		"SerialPort": func(args map[string]any) (response, error) { return sdk.vms.CreateSerialPort(&id, port, args) },
		"CdRom":      func(args map[string]any) (response, error) { return sdk.vms.CreateCdRom(&id, cdrom, args) },
	}
	for name, add := range adds {
		task := sdk.change(t, id, add)
		require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%s: %v", name, task.ErrorMessages)
	}
	task := sdk.change(t, id, adds["Gpu"])
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	after, _ := sdk.vm(t, id)
	require.Equal(t, []int{2, 1, 2}, []int{len(after.Gpus), len(after.SerialPorts), len(after.CdRoms)})
	assert.Nil(t, after.CdRoms[1].BackingInfo, "the drive is empty")
	first := after.Gpus[0].ExtId
	task = sdk.change(t, id, func(args map[string]any) (response, error) { return sdk.vms.DeleteGpuById(&id, first, args) })
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	after, _ = sdk.vm(t, id)
	require.Len(t, after.Gpus, 1)
	assert.NotEqual(t, *first, *after.Gpus[0].ExtId, "the other GPU keeps its ID")
	port.IsConnected = ptr(false)
	task = sdk.change(t, id, func(args map[string]any) (response, error) {
		return sdk.vms.UpdateSerialPortById(&id, after.SerialPorts[0].ExtId, port, args)
	})
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	sdk.powerOn(t, id)
	running, _ := sdk.vm(t, id)
	assert.Equal(t, "Tesla T4", *running.Gpus[0].Name)
	assert.False(t, *running.SerialPorts[0].IsConnected)
	for name, add := range adds {
		task := sdk.change(t, id, add)
		assert.Contains(t, *task.ErrorMessages[0].Message, "a "+name+" cannot be changed while the VM is powered on")
	}
	for _, err := range []error{
		lookUp(sdk.vms.GetGpuById(&id, running.Gpus[0].ExtId)), lookUp(sdk.vms.GetSerialPortById(&id, running.SerialPorts[0].ExtId)),
		lookUp(sdk.vms.GetCdRomById(&id, running.CdRoms[0].ExtId)), lookUp(sdk.vms.ListGpusByVmId(&id, nil, nil, nil)),
		lookUp(sdk.vms.ListCdRomsByVmId(&id, nil, nil)), lookUp(sdk.vms.ListSerialPortsByVmId(&id, nil, nil)),
	} {
		assert.NoError(t, err)
	}
}

// lookUp returns the error of a call of the SDK.
func lookUp(_ response, err error) error { return err }

func TestDevicesOfHiddenVMAreHidden(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	require.NoError(t, s.SetRights("admin", prismsim.Rights{Hidden: []string{vm.UUID}}))
	status, _ := v4(t, s, http.MethodGet, vmsPath+"/"+vm.UUID+"/nics", "")
	assert.Equal(t, http.StatusNotFound, status)
	require.NoError(t, s.SetRights("admin", prismsim.Rights{}))
	status, body := v4(t, s, http.MethodPost, vmsPath+"/"+vm.UUID+"/nics", "{}", "NTNX-Request-Id: "+uuid.NewString())
	assert.Equal(t, http.StatusPreconditionRequired, status, "devices have the ETag of the VM")
	assert.Equal(t, "PLAT-10004", valueAt(t, body, "data", "error", 0, "code"))
}
