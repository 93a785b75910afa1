package prismsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// withVolumeGroup returns a VM to which a volume group is attached, and the UUID of that volume group.
func withVolumeGroup(t *testing.T, s *prismsim.Server, client v3.Service) (vm *v3.VMIntentResponse, group string) {
	t.Helper()
	id := *create(t, client, intent(t, s, "vm-1")).Metadata.UUID
	group, err := s.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc-1", PrismElement: "nutanix-cluster-1", SizeMiB: 2048})
	require.NoError(t, err)
	require.NoError(t, s.AttachVolumeGroup(group, id))
	vm, err = client.GetVM(t.Context(), id)
	require.NoError(t, err)
	return vm, group
}

func withoutVolumeGroups(b *v3.VMIntentInput) {
	b.Spec.Resources.DiskList = b.Spec.Resources.DiskList[:1]
}

func TestAttachedVolumeGroupIsADisk(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm, group := withVolumeGroup(t, s, client)
	id := *vm.Metadata.UUID
	require.Len(t, vm.Spec.Resources.DiskList, 2)
	d := vm.Spec.Resources.DiskList[1]
	assert.Equal(t, []any{"VOLUME_GROUP", "SCSI", 1, group, 2048, 2048 << 20}, []any{
		*d.DeviceProperties.DeviceType, *d.DeviceProperties.DiskAddress.AdapterType, int(*d.DeviceProperties.DiskAddress.DeviceIndex),
		*d.VolumeGroupReference.UUID, int(*d.DiskSizeMib), int(*d.DiskSizeBytes),
	})
	assert.EqualValues(t, 1, *vm.Metadata.SpecVersion)
	shown, _ := newVendorSDK(t, s).vm(t, id)
	backing, isGroup := shown.Disks[1].BackingInfo.GetValue().(vmm.ADSFVolumeGroupReference)
	require.True(t, isGroup, "%T", shown.Disks[1].BackingInfo.GetValue())
	assert.Equal(t, group, *backing.VolumeGroupExtId)

	task, vm := edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Description = ptr("changed") })
	assert.Equal(t, "SUCCEEDED", *task.Status)
	assert.Equal(t, []string{id}, s.VolumeGroups()[0].AttachedTo, "an update that names the disk keeps it")
	assert.ErrorContains(t, s.AttachVolumeGroup(group, id), "is attached")
	task, vm = edit(t, client, vm, withoutVolumeGroups)
	assert.Equal(t, "SUCCEEDED", *task.Status)
	assert.Empty(t, s.VolumeGroups()[0].AttachedTo)
	task, _ = edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Spec.Resources.DiskList = append(b.Spec.Resources.DiskList, &v3.VMDisk{VolumeGroupReference: ref("volume_group", group)})
	})
	assert.Equal(t, "SUCCEEDED", *task.Status, "v3 attaches, too")
	assert.Equal(t, []string{id}, s.VolumeGroups()[0].AttachedTo)
	require.NoError(t, s.DetachVolumeGroup(group, id))
	assert.ErrorContains(t, s.DetachVolumeGroup(group, id), "is not attached")
	s.SetRules(prismsim.Rules{AttachmentKeepsSpecVersion: true})
	before := s.VMs()[0].SpecVersion
	require.NoError(t, s.AttachVolumeGroup(group, id))
	assert.Equal(t, before, s.VMs()[0].SpecVersion)

	bad := intent(t, s, "vm-2")
	bad.Spec.Resources.DiskList = []*v3.VMDisk{{VolumeGroupReference: ref("volume_group", uuid.NewString())}}
	_, err := client.CreateVM(t.Context(), bad)
	assert.ErrorContains(t, err, "Invalid volume_group_reference")
}

func TestVMWithVolumeGroupIsNotDeleted(t *testing.T) {
	const text = "Volume group at scsi.1 must be detached before deleting VM."
	s := start(t, nil)
	client := connect(t, s, nil)
	vm, group := withVolumeGroup(t, s, client)
	id := *vm.Metadata.UUID
	remove := func() *v3.TasksResponse {
		response, err := client.DeleteVM(t.Context(), id)
		require.NoError(t, err)
		return wait(t, client, response.Status.ExecutionContext)
	}
	sdk := newVendorSDK(t, s)
	removeByV4 := func() (string, error) {
		_, etag := sdk.vm(t, id)
		response, err := sdk.vms.DeleteVmById(&id, match(etag))
		if err != nil {
			return "", err
		}
		task := sdk.waitForTask(t, response.GetData())
		return *task.ErrorMessages[0].Message, nil
	}
	task := remove()
	assert.Equal(t, "FAILED", *task.Status)
	assert.Equal(t, "INVALID_ARGUMENT: Invalid Argument: 6\n :"+text, *task.ErrorDetail)
	assert.Equal(t, "COMPLETE", s.VMs()[0].State)
	message, err := removeByV4()
	require.NoError(t, err)
	assert.Equal(t, text, message)

	s.SetRules(prismsim.Rules{DeleteWithVolumeGroup: prismsim.RefusedByRequest})
	_, err = client.DeleteVM(t.Context(), id)
	assert.ErrorContains(t, err, text)
	_, err = removeByV4()
	assert.ErrorContains(t, err, text)
	s.SetRules(prismsim.Rules{})
	require.NoError(t, s.DetachVolumeGroup(group, id))
	assert.Equal(t, "SUCCEEDED", *remove().Status)

	s.SetRules(prismsim.Rules{DeleteWithVolumeGroup: prismsim.NotRefused})
	vm, _ = withVolumeGroup(t, s, client)
	id = *vm.Metadata.UUID
	assert.Equal(t, "SUCCEEDED", *remove().Status)
	assert.Empty(t, s.VolumeGroups()[1].AttachedTo)
}

func TestDetachingAVolumeGroupIsRefused(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm, group := withVolumeGroup(t, s, client)
	detachByV4 := func() (int, any) {
		return v4(t, s, http.MethodPost, "volumes/v4.2/config/volume-groups/"+group+"/$actions/detach-vm", `{"extId":"`+*vm.Metadata.UUID+`"}`)
	}
	s.SetRules(prismsim.Rules{DetachVolumeGroup: prismsim.RefusedByRequest})
	_, err := client.UpdateVM(t.Context(), *vm.Metadata.UUID, func() *v3.VMIntentInput {
		body := &v3.VMIntentInput{Metadata: vm.Metadata, Spec: vm.Spec}
		withoutVolumeGroups(body)
		return body
	}())
	assert.ErrorContains(t, err, "Volume group at scsi.1 is in use")
	status, _ := detachByV4()
	assert.Equal(t, http.StatusConflict, status)

	s.SetRules(prismsim.Rules{DetachVolumeGroup: prismsim.RefusedByTask})
	task, _ := edit(t, client, vm, withoutVolumeGroups)
	assert.Equal(t, "FAILED", *task.Status)
	assert.Contains(t, *task.ErrorDetail, "Volume group at scsi.1 is in use")
	status, response := detachByV4()
	require.Equal(t, http.StatusAccepted, status)
	assert.Equal(t, "FAILED", waitForTaskByID(t, s, response))
	assert.Len(t, s.VolumeGroups()[0].AttachedTo, 1)
}

// waitForTaskByID waits until the task in a v4 response ends, and returns its status.
func waitForTaskByID(t *testing.T, s *prismsim.Server, response any) string {
	t.Helper()
	id, isText := valueAt(t, response, "data", "extId").(string)
	require.True(t, isText)
	for {
		_, task := v4(t, s, http.MethodGet, "prism/v4.2/config/tasks/"+id, "")
		if status, _ := valueAt(t, task, "data", "status").(string); status == "SUCCEEDED" || status == "FAILED" {
			return status
		}
		require.NoError(t, t.Context().Err())
	}
}

func TestVolumesAPIAttachesAndDetaches(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	group, err := s.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc-1", PrismElement: "nutanix-cluster-1"})
	require.NoError(t, err)
	path := "volumes/v4.2/config/volume-groups"
	status, list := v4(t, s, http.MethodGet, path+"?$filter=name%20eq%20'pvc-1'", "")
	require.Equal(t, http.StatusOK, status)
	assert.Equal(t, group, valueAt(t, list, "data", 0, "extId"))
	act := func(action, body string) string {
		status, response := v4(t, s, http.MethodPost, path+"/"+group+"/$actions/"+action, body)
		require.Equal(t, http.StatusAccepted, status, "%v", response)
		return waitForTaskByID(t, s, response)
	}
	body := `{"extId":"` + vm.UUID + `"}`
	assert.Equal(t, "SUCCEEDED", act("attach-vm", body))
	assert.Equal(t, vm.SpecVersion+1, s.VMs()[0].SpecVersion)
	assert.Equal(t, "FAILED", act("attach-vm", body))
	_, attached := v4(t, s, http.MethodGet, path+"/"+group+"/vm-attachments", "")
	assert.Equal(t, vm.UUID, valueAt(t, attached, "data", 0, "extId"))
	assert.Equal(t, "SUCCEEDED", act("detach-vm", body))
	assert.Equal(t, "FAILED", act("detach-vm", body))
	assert.Equal(t, "FAILED", act("detach-vm", `{"extId":"`+uuid.NewString()+`"}`))
	for request, want := range map[string]int{
		"GET " + path + "/" + group:                                                          http.StatusOK,
		"GET " + path + "/" + uuid.NewString():                                               http.StatusNotFound,
		"POST " + path + "/" + group + "/$actions/attach-vm {}":                              http.StatusBadRequest,
		"POST " + path + "/" + uuid.NewString() + "/$actions/attach-vm " + body:              http.StatusNotFound,
		"GET " + path + "/" + uuid.NewString() + "/vm-attachments":                           http.StatusNotFound,
		"POST " + path + "/" + group + "/$actions/detach-vm {\"extId\":\"" + "not-a-uuid\"}": http.StatusBadRequest,
	} {
		method, rest, _ := strings.Cut(request, " ")
		target, body, _ := strings.Cut(rest, " ")
		status, response := v4(t, s, method, target, body)
		assert.Equal(t, want, status, "%s: %v", request, response)
	}
}

func TestControlEndpointsOfVolumeGroups(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	send := func(method, path, body string, want int) {
		t.Helper()
		response, text := request(t, s, method, "/sim/"+path, body, nil)
		require.Equal(t, want, response.StatusCode, "%s %s: %s", method, path, text)
	}
	send(http.MethodPost, "volume-groups", `{"name":"a","prismElement":"nutanix-cluster-1"}`, http.StatusCreated)
	for _, bad := range []string{`{"name":"","prismElement":"nutanix-cluster-1"}`, `{"name":"a"}`, `{"colour":"red"}`, `{"name":"a","prismElement":"nutanix-cluster-1","uuid":"x"}`} {
		send(http.MethodPost, "volume-groups", bad, http.StatusBadRequest)
	}
	group := s.VolumeGroups()[0]
	assert.EqualValues(t, 1024, group.SizeMiB)
	attachment := "volume-groups/" + group.UUID + "/vms/" + vm.UUID
	send(http.MethodPut, attachment, "", http.StatusNoContent)
	assert.Equal(t, []string{vm.UUID}, s.VolumeGroups()[0].AttachedTo)
	send(http.MethodDelete, attachment, "", http.StatusNoContent)
	send(http.MethodDelete, attachment, "", http.StatusBadRequest)
	send(http.MethodPut, "rules", `{"deleteWithVolumeGroup":"request"}`, http.StatusOK)
	send(http.MethodPut, "rules", `{"deleteWithVolumeGroup":"never"}`, http.StatusBadRequest)
	_, err := s.Snapshot()
	require.NoError(t, err)
	send(http.MethodPut, attachment, "", http.StatusNoContent)
	_, err = s.Snapshot()
	assert.ErrorContains(t, err, "volume groups")
}
