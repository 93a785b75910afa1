package prismsim_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	address "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/common/v1/config"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// diskFrom returns a disk that is a copy of an image.
func diskFrom(t *testing.T, s *prismsim.Server, image string, size int64) vmm.Disk {
	t.Helper()
	source := vmm.NewImageReference()
	source.ImageExtId = ptr(named(t, s, "image", image))
	backing, disk := vmm.NewVmDisk(), vmm.NewDisk()
	backing.DataSource, backing.DiskSizeBytes = vmm.NewDataSource(), &size
	require.NoError(t, backing.DataSource.SetReference(*source))
	require.NoError(t, disk.SetBackingInfo(*backing))
	disk.DiskAddress = vmm.NewDiskAddress()
	disk.DiskAddress.BusType, disk.DiskAddress.Index = vmm.DISKBUSTYPE_SCSI.Ref(), ptr(0)
	return *disk
}

// nicOn returns a NIC on a subnet with an address that Prism chooses, or with the given address.
func nicOn(t *testing.T, s *prismsim.Server, subnet string, addresses ...string) vmm.Nic {
	t.Helper()
	network, nic := vmm.NewVirtualEthernetNicNetworkInfo(), vmm.NewNic()
	network.Subnet = vmm.NewSubnetReference()
	network.Subnet.ExtId = ptr(named(t, s, "subnet", subnet))
	for _, text := range addresses {
		network.Ipv4Config = vmm.NewIpv4Config()
		network.Ipv4Config.IpAddress = address.NewIPv4Address()
		network.Ipv4Config.IpAddress.Value = ptr(text)
	}
	require.NoError(t, nic.SetNicNetworkInfo(*network))
	return *nic
}

// vmBody returns the body of a v4 create request for a VM with one disk, one NIC and cloud-init data.
func vmBody(t *testing.T, s *prismsim.Server, name string) *vmm.Vm {
	t.Helper()
	vm := vmm.NewVm()
	vm.Name, vm.NumSockets, vm.NumCoresPerSocket, vm.MemorySizeBytes = ptr(name), ptr(2), ptr(1), ptr(int64(4<<30))
	vm.Cluster = vmm.NewClusterReference()
	vm.Cluster.ExtId = ptr(named(t, s, "cluster", "nutanix-cluster-1"))
	vm.Disks = []vmm.Disk{diskFrom(t, s, "ubuntu-22.04-kube-v1.28.0", 40<<30)}
	vm.Nics = []vmm.Nic{nicOn(t, s, "vm-network")}
	script, data := vmm.NewUserdata(), vmm.NewCloudInit()
	script.Value = ptr(base64.StdEncoding.EncodeToString([]byte("#cloud-config")))
	data.Metadata = ptr(base64.StdEncoding.EncodeToString([]byte("{}")))
	data.DatasourceType = vmm.CLOUDINITDATASOURCETYPE_CONFIG_DRIVE_V2.Ref()
	require.NoError(t, data.SetCloudInitScript(*script))
	vm.GuestCustomization = vmm.NewGuestCustomizationParams()
	require.NoError(t, vm.GuestCustomization.SetConfig(*data))
	return vm
}

// categoryRefs returns references to categories that are given as pairs of key and value.
func categoryRefs(t *testing.T, s *prismsim.Server, pairs ...[2]string) []vmm.CategoryReference {
	t.Helper()
	var out []vmm.CategoryReference
	for _, pair := range pairs {
		id, err := s.CategoryID(pair[0], pair[1])
		require.NoError(t, err)
		ref := vmm.NewCategoryReference()
		ref.ExtId = &id
		out = append(out, *ref)
	}
	return out
}

// createVM creates a VM with the v4 API and returns the VM and its ETag.
func (v *vendor) createVM(t *testing.T, vm *vmm.Vm) (vmm.Vm, string) {
	t.Helper()
	response, err := v.vms.CreateVm(vm)
	require.NoError(t, err)
	task := v.waitForTask(t, response.GetData())
	require.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", task.ErrorMessages)
	require.Equal(t, "vmm:ahv:config:vm", *task.EntitiesAffected[0].Rel)
	return v.vm(t, *task.EntitiesAffected[0].ExtId)
}

func TestVendorSDKCreatesVM(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	body := vmBody(t, s, "vm-1")
	body.Description = ptr("d")
	body.Categories = categoryRefs(t, s, [2]string{"Environment", "Testing"}, [2]string{"Environment", "Staging"})
	body.Project = vmm.NewProjectReference()
	body.Project.ExtId = ptr(named(t, s, "project", "platform"))
	body.Nics = append(body.Nics, nicOn(t, s, "storage-network", "127.40.2.77"))
	boot := vmm.NewUefiBoot()
	boot.IsSecureBootEnabled, boot.BootOrder = ptr(true), []vmm.BootDeviceType{vmm.BOOTDEVICETYPE_DISK, vmm.BOOTDEVICETYPE_CDROM}
	require.NoError(t, body.SetBootConfig(*boot))
	body.IsCpuHotplugEnabled = ptr(false)

	vm, _ := sdk.createVM(t, body)
	assert.Equal(t, "vm-1 d", *vm.Name+" "+*vm.Description)
	assert.Equal(t, vmm.POWERSTATE_OFF, *vm.PowerState)
	assert.Nil(t, vm.Host)
	assert.Nil(t, vm.GuestCustomization, "Prism Central does not return it")
	assert.Len(t, vm.Categories, 2, "several values of one key")
	assert.Equal(t, *body.Project.ExtId, *vm.Project.ExtId)
	assert.False(t, *vm.IsCpuHotplugEnabled)
	assert.Equal(t, body.BootConfig.GetValue().(vmm.UefiBoot).BootOrder, vm.BootConfig.GetValue().(vmm.UefiBoot).BootOrder)
	assert.True(t, *vm.BootConfig.GetValue().(vmm.UefiBoot).IsSecureBootEnabled)
	disk := vm.Disks[0].BackingInfo.GetValue().(vmm.VmDisk)
	assert.Equal(t, named(t, s, "image", "ubuntu-22.04-kube-v1.28.0"), *disk.DataSource.Reference.GetValue().(vmm.ImageReference).ImageExtId)
	assert.EqualValues(t, 40<<30, *disk.DiskSizeBytes)
	assert.Equal(t, vmm.ISOTYPE_GUEST_CUSTOMIZATION, *vm.CdRoms[0].IsoType)
	assert.Equal(t, 3, *vm.CdRoms[0].DiskAddress.Index)
	assert.Equal(t, "127.40.2.77", *vm.Nics[1].NicNetworkInfo.GetValue().(vmm.VirtualEthernetNicNetworkInfo).Ipv4Config.IpAddress.Value)
	assert.Empty(t, vm.UnknownFields_)

	view := vmView(t, s, *vm.ExtId)
	assert.Equal(t, "#cloud-config", string(view.UserData))
	assert.Equal(t, "{}", string(view.MetaData))
	assert.Equal(t, "SECURE_BOOT", view.BootType)
	assert.Equal(t, "platform", view.Project)
	old, err := connect(t, s, nil).GetVM(t.Context(), *vm.ExtId)
	require.NoError(t, err, "v3 shows the VM, too")
	assert.Equal(t, "OFF", *old.Status.Resources.PowerState)

	filter := "name eq 'vm-1'"
	list, err := sdk.vms.ListVms(nil, nil, &filter, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, *vm.ExtId, *list.GetData().([]vmm.Vm)[0].ExtId)
}

func TestLegacyBootDeviceIsShown(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	body := vmBody(t, s, "vm-1")
	device, boot := vmm.NewBootDeviceDisk(), vmm.NewLegacyBoot()
	device.DiskAddress = body.Disks[0].DiskAddress
	require.NoError(t, boot.SetBootDevice(*device))
	require.NoError(t, body.SetBootConfig(*boot))
	body.GuestCustomization = nil
	vm, _ := sdk.createVM(t, body)
	assert.Equal(t, 0, *vm.BootConfig.GetValue().(vmm.LegacyBoot).BootDevice.GetValue().(vmm.BootDeviceDisk).DiskAddress.Index)
	assert.Empty(t, vm.CdRoms, "there is no customization data")
}

func TestGuestCustomizationIsShownByRule(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.Rules.ShowGuestCustomization = true })
	body := vmBody(t, s, "vm-1")
	vm, _ := newVendorSDK(t, s).createVM(t, body)
	want := body.GuestCustomization.GetConfig().(vmm.CloudInit)
	have := vm.GuestCustomization.GetConfig().(vmm.CloudInit)
	assert.Equal(t, *want.Metadata, *have.Metadata)
	assert.Equal(t, want.GetCloudInitScript().(vmm.Userdata).Value, have.GetCloudInitScript().(vmm.Userdata).Value)
}

func TestCreateWithInvalidReferenceFails(t *testing.T) {
	for rule, accepted := range map[prismsim.Refusal]bool{"": true, prismsim.RefusedByTask: true, prismsim.RefusedByRequest: false} {
		s := start(t, func(o *prismsim.Options) { o.Rules.InvalidReference = rule })
		sdk := newVendorSDK(t, s)
		for key, change := range map[string]func(*vmm.Vm){
			"cluster": func(vm *vmm.Vm) { vm.Cluster = nil },
			"subnet":  func(vm *vmm.Vm) { vm.Nics = []vmm.Nic{nicOn(t, s, "vm-network-2")} },
			"image": func(vm *vmm.Vm) {
				ref := vm.Disks[0].BackingInfo.GetValue().(vmm.VmDisk).DataSource.Reference.GetValue().(vmm.ImageReference)
				*ref.ImageExtId = noEntity
			},
			"category": func(vm *vmm.Vm) { vm.Categories = []vmm.CategoryReference{{ExtId: ptr(noEntity)}} },
			"project":  func(vm *vmm.Vm) { vm.Project = &vmm.ProjectReference{ExtId: ptr(noEntity)} },
			"name":     func(vm *vmm.Vm) { vm.Name = nil },
		} {
			body := vmBody(t, s, "vm-1")
			change(body)
			response, err := sdk.vms.CreateVm(body)
			if !accepted {
				require.ErrorContains(t, err, "VMM-30102", key)
				assert.ErrorContains(t, err, "key '"+key+"'")
				continue
			}
			require.NoError(t, err, key)
			task := sdk.waitForTask(t, response.GetData())
			assert.Equal(t, tasks.TASKSTATUS_FAILED, *task.Status, key)
			assert.Contains(t, *task.ErrorMessages[0].Message, "UUID 'EMPTY', due to an invalid argument with key '"+key+"'")
			assert.Empty(t, task.EntitiesAffected)
		}
		assert.Empty(t, s.VMs())
		body := vmBody(t, s, "vm-1")
		body.NumSockets = ptr(0)
		_, err := sdk.vms.CreateVm(body)
		assert.ErrorContains(t, err, "lower than the required minimum", "a violation of the schema has no task")
	}
}

func TestRepeatedCreateMakesOneVM(t *testing.T) {
	create := func(s *prismsim.Server) []string {
		sdk := newVendorSDK(t, s)
		args := map[string]any{"NTNX-Request-Id": ptr(uuid.NewString())}
		var ids []string
		for range 2 {
			response, err := sdk.vms.CreateVm(vmBody(t, s, "vm-1"), args)
			require.NoError(t, err)
			ids = append(ids, *sdk.waitForTask(t, response.GetData()).ExtId)
		}
		return ids
	}
	s := start(t, nil)
	ids := create(s)
	assert.Equal(t, ids[0], ids[1], "the second response names the first task")
	assert.Len(t, s.VMs(), 1)
	lost := start(t, nil)
	setFault(t, lost, prismsim.Fault{Method: http.MethodPost, Path: "/vms$", ReplyStatus: http.StatusServiceUnavailable, Times: 1})
	args := map[string]any{"NTNX-Request-Id": ptr(uuid.NewString())}
	_, err := newVendorSDK(t, lost).vms.CreateVm(vmBody(t, lost, "vm-1"), args)
	require.ErrorContains(t, err, "giving up after 1 attempt", "the VM is created, but the client does not know")
	_, err = newVendorSDK(t, lost).vms.CreateVm(vmBody(t, lost, "vm-1"), args)
	require.NoError(t, err)
	assert.Len(t, lost.Tasks(), 1)

	forgetful := start(t, func(o *prismsim.Options) { o.Rules.ForgetRequestIDs = true })
	ids = create(forgetful)
	assert.NotEqual(t, ids[0], ids[1])
	assert.Len(t, forgetful.VMs(), 2)
	status, body := v4(t, s, http.MethodPost, vmsPath, `{"name":"x"}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "VMM-30302", valueAt(t, body, "data", "error", 0, "code"))
}

func TestFailedCreateTask(t *testing.T) {
	s := start(t, nil)
	sdk := newVendorSDK(t, s)
	fail := func(fault prismsim.Fault) tasks.Task {
		fault.Method, fault.Path, fault.Times = http.MethodPost, "/vms$", 1
		setFault(t, s, fault)
		response, err := sdk.vms.CreateVm(vmBody(t, s, "vm-1"))
		require.NoError(t, err)
		task := sdk.waitForTask(t, response.GetData())
		assert.Equal(t, tasks.TASKSTATUS_FAILED, *task.Status)
		return task
	}
	assert.Equal(t, "no luck", *fail(prismsim.Fault{TaskError: "no luck"}).ErrorMessages[0].Message)
	assert.Empty(t, s.VMs(), "the task failed before its work")
	task := fail(prismsim.Fault{TaskSilent: true})
	assert.Empty(t, task.ErrorMessages, "a failed task without a message")
	assert.Nil(t, task.LegacyErrorMessage)
	assert.Empty(t, s.VMs())
	assert.Len(t, fail(prismsim.Fault{TaskSilent: true, AfterWork: true}).EntitiesAffected, 1)
	assert.Len(t, s.VMs(), 1, "the VM exists although its task failed")
}

func TestTaskNamesVM_OnlyWhenItHasEnded(t *testing.T) {
	for late, want := range map[bool]int{false: 1, true: 0} {
		s := start(t, func(o *prismsim.Options) { o.Latency.Create, o.Rules.LateTaskEntities = hour, late })
		sdk := newVendorSDK(t, s)
		response, err := sdk.vms.CreateVm(vmBody(t, s, "vm-1"))
		require.NoError(t, err)
		require.NotNil(t, response.GetData())
		list, err := sdk.tasks.ListTasks(nil, nil, nil, nil, nil)
		require.NoError(t, err)
		entities := list.GetData().([]tasks.Task)[0].EntitiesAffected
		assert.Len(t, entities, want)
		for _, entity := range entities {
			_, err = sdk.vms.GetVmById(entity.ExtId)
			assert.ErrorContains(t, err, "VMM-30100", "the VM is not there yet")
		}
	}
}
