package prismsim_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

// edit calls change with the body that was read for vm, and sends the result as an update.
func edit(t *testing.T, client v3.Service, vm *v3.VMIntentResponse, change func(*v3.VMIntentInput)) (*v3.TasksResponse, *v3.VMIntentResponse) {
	t.Helper()
	body := &v3.VMIntentInput{Metadata: vm.Metadata, Spec: vm.Spec}
	change(body)
	response, err := client.UpdateVM(t.Context(), *vm.Metadata.UUID, body)
	require.NoError(t, err)
	task := wait(t, client, response.Status.ExecutionContext)
	after, err := client.GetVM(t.Context(), *vm.Metadata.UUID)
	require.NoError(t, err)
	return task, after
}

func TestUpdateIncrementsSpecVersion(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	require.EqualValues(t, 0, *vm.Metadata.SpecVersion)
	old := *vm.Metadata.SpecVersion

	task, after := edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Description = ptr("second") })
	require.Equal(t, "SUCCEEDED", *task.Status)
	assert.EqualValues(t, 1, *after.Metadata.SpecVersion)
	assert.Equal(t, "second", *after.Status.Description)

	after.Metadata.SpecVersion = &old
	_, err := client.UpdateVM(t.Context(), *vm.Metadata.UUID, &v3.VMIntentInput{Metadata: after.Metadata, Spec: after.Spec})
	assert.ErrorContains(t, err, "409")
	assert.ErrorContains(t, err, "Edit conflict: please retry change.")
}

func TestUpdateKeepsOmittedFields(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	body := intent(t, s, "vm-1")
	body.Spec.Resources.BootConfig = &v3.VMBootConfig{BootType: ptr("UEFI")}
	body.Spec.Resources.EnableCPUPassthrough = ptr(true)
	vm := create(t, client, body)
	before := *vm.Spec.Resources

	_, after := edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Metadata.ProjectReference = &v3.Reference{} // as in requests of provider 1.9.5
		b.Spec.Resources = &v3.VMResources{DiskList: before.DiskList, NicList: before.NicList}
		b.Spec.Resources.DiskList[0].StorageConfig = nil
	})
	res := after.Status.Resources
	assert.Equal(t, "UEFI", *res.BootConfig.BootType)
	assert.True(t, *res.EnableCPUPassthrough)
	assert.Equal(t, before.MemorySizeMib, res.MemorySizeMib)
	assert.Equal(t, "ON", *res.PowerState)
	assert.Equal(t, before.NicList[0].IPEndpointList, res.NicList[0].IPEndpointList, "the address stays")
	assert.Equal(t, "default", after.Spec.Resources.DiskList[0].StorageConfig.StorageContainerReference.Name)
	assert.Equal(t, "_internal", *after.Metadata.ProjectReference.Name)
}

func TestHotChangesThatAHVRefuses(t *testing.T) {
	tests := map[string]func(*v3.VMResources){
		"memory cannot be decreased":              func(r *v3.VMResources) { r.MemorySizeMib = ptr(int64(1024)) },
		"number of vCPUs cannot be decreased":     func(r *v3.VMResources) { r.NumSockets = ptr(int64(1)) },
		"cores per vCPU cannot be changed":        func(r *v3.VMResources) { r.NumVcpusPerSocket = ptr(int64(2)) },
		"boot type cannot be changed":             func(r *v3.VMResources) { r.BootConfig.BootType = ptr("UEFI") },
		"Can't shrink disk at scsi.0":             func(r *v3.VMResources) { shrink(r.DiskList[0]) },
		"it is not valid or already assigned":     func(r *v3.VMResources) { r.NicList[0].IPEndpointList[0].IP = ptr("127.40.1.1") },
		"machine type cannot be changed":          func(r *v3.VMResources) { r.MachineType = ptr("Q35") },
		"Insufficient resources: No host has eno": func(r *v3.VMResources) { r.MemorySizeMib = ptr(int64(2 << 20)) },
	}
	s := start(t, nil)
	client := connect(t, s, nil)
	for text, change := range tests {
		t.Run(text, func(t *testing.T) {
			vm := create(t, client, intent(t, s, "vm"))
			task, after := edit(t, client, vm, func(b *v3.VMIntentInput) { change(b.Spec.Resources) })
			assert.Equal(t, "FAILED", *task.Status)
			assert.Contains(t, *task.ErrorDetail, text)
			assert.Equal(t, "ERROR", *after.Status.State)
			assert.EqualValues(t, 4096, *after.Status.Resources.MemorySizeMib, "nothing changed")
		})
	}
}

func shrink(d *v3.VMDisk) { d.DiskSizeMib, d.DiskSizeBytes = ptr(int64(20480)), ptr(int64(20480<<20)) }

func TestColdUpdateReducesMemoryAndSwitchesOn(t *testing.T) {
	h := newHypervisor()
	s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Resources.PowerState = ptr("OFF") })
	require.Equal(t, "OFF", *vm.Status.Resources.PowerState)
	assert.Nil(t, vm.Status.Resources.HostReference)

	task, vm := edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Spec.Resources.PowerState, b.Spec.Resources.MemorySizeMib, b.Spec.Resources.NumSockets = ptr("ON"), ptr(int64(2048)), ptr(int64(1))
	})
	require.Equal(t, "SUCCEEDED", *task.Status)
	assert.Equal(t, "ON", *vm.Status.Resources.PowerState)
	assert.EqualValues(t, 2048, *vm.Status.Resources.MemorySizeMib)
	s.Close()
	id := *vm.Metadata.UUID
	assert.Equal(t, []string{"on " + id + " 4096", "off " + id, "on " + id + " 2048"}, h.calls())
}

func TestDisksAndNICsAreAddedAndRemoved(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	storage := ref("subnet", named(t, s, "subnet", "storage-network"))
	task, vm := edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Spec.Resources.DiskList = append(b.Spec.Resources.DiskList, &v3.VMDisk{DiskSizeMib: ptr(int64(100))})
		b.Spec.Resources.NicList = append(b.Spec.Resources.NicList, &v3.VMNic{SubnetReference: storage})
	})
	require.Equal(t, "SUCCEEDED", *task.Status)
	require.Len(t, vm.Spec.Resources.DiskList, 2)
	assert.EqualValues(t, 1, *vm.Spec.Resources.DiskList[1].DeviceProperties.DiskAddress.DeviceIndex)
	assert.Equal(t, "127.40.2.10", *vm.Status.Resources.NicList[1].IPEndpointList[0].IP)

	// The update moves the second NIC to another subnet and removes the first NIC. Both NICs release their addresses.
	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Spec.Resources.NicList = b.Spec.Resources.NicList[1:]
		b.Spec.Resources.NicList[0].SubnetReference = ref("subnet", named(t, s, "subnet", "vm-network"))
		b.Spec.Resources.NicList[0].IPEndpointList = nil
		b.Spec.Resources.DiskList = b.Spec.Resources.DiskList[:1]
	})
	assert.Len(t, vm.Spec.Resources.DiskList, 1)
	require.Len(t, vm.Spec.Resources.NicList, 1)
	assert.Equal(t, "127.40.1.11", *vm.Spec.Resources.NicList[0].IPEndpointList[0].IP)
	other := create(t, client, withSubnet(intent(t, s, "vm-2"), storage))
	assert.Equal(t, "127.40.2.11", *other.Spec.Resources.NicList[0].IPEndpointList[0].IP, "freed addresses come round last")
}

func withSubnet(body *v3.VMIntentInput, subnet *v3.Reference) *v3.VMIntentInput {
	body.Spec.Resources.NicList = []*v3.VMNic{{SubnetReference: subnet}}
	return body
}

func TestGuestCustomizationIsImmutable(t *testing.T) {
	h := newHypervisor()
	s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
	client := connect(t, s, nil)
	body := intent(t, s, "vm-1")
	userData := base64.StdEncoding.EncodeToString([]byte("#cloud-config\n"))
	body.Spec.Resources.GuestCustomization = &v3.GuestCustomization{CloudInit: &v3.GuestCustomizationCloudInit{UserData: &userData}}
	vm := create(t, client, body)

	assert.Equal(t, userData, *vm.Status.Resources.GuestCustomization.CloudInit.UserData)
	cdrom := vm.Spec.Resources.DiskList[1]
	assert.Equal(t, "CDROM", *cdrom.DeviceProperties.DeviceType)
	assert.Equal(t, "IDE", *cdrom.DeviceProperties.DiskAddress.AdapterType)
	assert.EqualValues(t, 3, *cdrom.DeviceProperties.DiskAddress.DeviceIndex)
	assert.EqualValues(t, 389120, *cdrom.DiskSizeBytes)
	assert.Equal(t, "#cloud-config\n", string((<-h.started).UserData))

	vm.Spec.Resources.GuestCustomization.CloudInit.UserData = ptr(base64.StdEncoding.EncodeToString([]byte("other")))
	_, err := client.UpdateVM(t.Context(), *vm.Metadata.UUID, &v3.VMIntentInput{Metadata: vm.Metadata, Spec: vm.Spec})
	assert.ErrorContains(t, err, "can only be set during VM creation")
}

func TestVMIsPendingAndNotListed_UntilCreateEnds(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.Latency.Create = hour })
	client := connect(t, s, nil)
	response, err := client.CreateVM(t.Context(), intent(t, s, "vm-1"))
	require.NoError(t, err)
	assert.Equal(t, "PENDING", *response.Status.State)
	vm, err := client.GetVM(t.Context(), *response.Metadata.UUID)
	require.NoError(t, err)
	assert.Equal(t, "PENDING", *vm.Status.State)
	listed, err := client.ListAllVM(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, listed.Entities)
	task, err := client.GetTask(t.Context(), response.Status.ExecutionContext.TaskUUID.(string))
	require.NoError(t, err)
	assert.Contains(t, []string{"QUEUED", "RUNNING"}, *task.Status)
	_, err = client.UpdateVM(t.Context(), *response.Metadata.UUID, intent(t, s, "vm-1"))
	assert.ErrorContains(t, err, "409")
}

func TestDuplicateNamesAreAllowed(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	create(t, client, intent(t, s, "twin"))
	create(t, client, intent(t, s, "twin"))
	listed, err := client.ListAllVM(t.Context(), "vm_name==twin")
	require.NoError(t, err)
	assert.Len(t, listed.Entities, 2)
}

func TestMalformedRequestsAreBadRequests(t *testing.T) {
	s := start(t, nil)
	for _, body := range []string{"{", `{"metadata":{"kind":"vm","spec_version":"one"}}`, `[]`} {
		response, text := request(t, s, http.MethodPost, "/api/nutanix/v3/vms", body, nil)
		assert.Equal(t, http.StatusBadRequest, response.StatusCode, body)
		assert.Contains(t, text, "INVALID_REQUEST")
	}
}
