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

func attributes(texts ...string) *vmm.UpdateCustomAttributesParams {
	params := vmm.NewUpdateCustomAttributesParams()
	params.CustomAttributes = texts
	return params
}

func TestVendorSDKChangesVM(t *testing.T) {
	s := start(t, nil)
	id := addVM(t, s, nil).UUID
	sdk := newVendorSDK(t, s)
	_, etag := sdk.vm(t, id)

	added, err := sdk.vms.AddVmCustomAttributes(&id, attributes("providerID:abc", "a:b"), match(etag))
	require.NoError(t, err)
	task := sdk.waitForTask(t, added.GetData())
	assert.Equal(t, tasks.TASKSTATUS_SUCCEEDED, *task.Status)
	assert.Equal(t, "vmm:ahv:config:vm "+id, *task.EntitiesAffected[0].Rel+" "+*task.EntitiesAffected[0].ExtId)
	assert.Equal(t, []string{named(t, s, "cluster", "nutanix-cluster-1")}, task.ClusterExtIds)
	assert.Equal(t, 100, *task.ProgressPercentage)
	assert.False(t, task.CompletedTime.Before(*task.CreatedTime))
	assert.Empty(t, task.ErrorMessages)
	vm, etag := sdk.vm(t, id)
	assert.Equal(t, []string{"providerID:abc", "a:b"}, vm.CustomAttributes)

	removed, err := sdk.vms.RemoveVmCustomAttributes(&id, attributes("a:b"), match(etag))
	require.NoError(t, err)
	sdk.waitForTask(t, removed.GetData())
	vm, etag = sdk.vm(t, id)
	assert.Equal(t, []string{"providerID:abc"}, vm.CustomAttributes)

	off, err := sdk.vms.PowerOffVm(&id, match(etag))
	require.NoError(t, err)
	sdk.waitForTask(t, off.GetData())
	vm, etag = sdk.vm(t, id)
	assert.Equal(t, vmm.POWERSTATE_OFF, *vm.PowerState)
	assert.Nil(t, vm.Host, "a VM that is off is on no host")
	on, err := sdk.vms.PowerOnVm(&id, match(etag))
	require.NoError(t, err)
	sdk.waitForTask(t, on.GetData())
	vm, etag = sdk.vm(t, id)
	assert.Equal(t, vmm.POWERSTATE_ON, *vm.PowerState)

	gone, err := sdk.vms.DeleteVmById(&id, match(etag))
	require.NoError(t, err)
	sdk.waitForTask(t, gone.GetData())
	assert.Empty(t, s.VMs())
}

func TestPreconditionsOfChanges(t *testing.T) {
	s := start(t, nil)
	id := addVM(t, s, nil).UUID
	_, etag := newVendorSDK(t, s).vm(t, id)
	require.NoError(t, s.PowerOff(id))
	path := vmsPath + "/" + id + "/$actions/power-on"
	requestID := "NTNX-Request-Id: " + uuid.NewString()
	for name, test := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"no request ID":          {headers: []string{"If-Match: " + etag}, status: http.StatusBadRequest, code: "VMM-30302"},
		"no ETag":                {headers: []string{requestID}, status: http.StatusPreconditionRequired, code: "PLAT-10004"},
		"any ETag":               {headers: []string{requestID, "If-Match: *"}, status: http.StatusPreconditionFailed, code: "PLAT-10005"},
		"the ETag of the past":   {headers: []string{requestID, "If-Match: " + etag}, status: http.StatusPreconditionFailed, code: "VMM-30303"},
		"the ETag of the future": {headers: []string{requestID, "If-Match: OTksMA=="}, status: http.StatusPreconditionFailed, code: "VMM-30303"},
	} {
		status, body := v4(t, s, http.MethodPost, path, "", test.headers...)
		assert.Equal(t, test.status, status, name)
		assert.Equal(t, test.code, valueAt(t, body, "data", "error", 0, "code"), name)
		assert.Equal(t, "vmm.v4.ahv.config.PowerOnVmApiResponse", body["$objectType"], name)
	}
	assert.Empty(t, s.Tasks())

	for _, body := range []string{"", "{", `{"customAttributes":[]}`, `{"customAttributes":["novalue"]}`} {
		status, _ := v4(t, s, http.MethodPost, vmsPath+"/"+id+"/$actions/add-custom-attributes", body, requestID)
		assert.Equal(t, http.StatusBadRequest, status, body)
	}
}

func TestRetriedRequestIsProcessedOnce(t *testing.T) {
	s := start(t, nil)
	id := addVM(t, s, nil).UUID
	sdk := newVendorSDK(t, s)
	_, etag := sdk.vm(t, id)
	args := match(etag)
	args["NTNX-Request-Id"] = ptr(uuid.NewString())

	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "power-off$", DropReply: true, Times: 1})
	_, err := sdk.vms.PowerOffVm(&id, args)
	require.Error(t, err, "the response is lost")
	require.Len(t, s.Tasks(), 1)
	require.Eventually(t, func() bool { return s.VMs()[0].PowerState == "OFF" }, waitFor, tick)

	again, err := sdk.vms.PowerOffVm(&id, args)
	require.NoError(t, err, "the ETag is old by now, but the response is the first one")
	assert.Equal(t, s.Tasks()[0].UUID, (*sdk.waitForTask(t, again.GetData()).ExtId)[len("ZXJnb24=:"):])
	assert.Len(t, s.Tasks(), 1)

	_, err = sdk.vms.PowerOnVm(&id, args)
	require.ErrorContains(t, err, "VM_ETAG_MISMATCH", "another operation with the same ID is another request")
	_, etag = sdk.vm(t, id)
	args["If-Match"] = &etag
	_, err = sdk.vms.PowerOnVm(&id, args)
	require.NoError(t, err, "a refusal is not repeated")
}

func TestFailedTaskReportsCause(t *testing.T) {
	s := start(t, nil)
	id := addVM(t, s, nil).UUID
	sdk := newVendorSDK(t, s)
	fail := func(fault prismsim.Fault) tasks.Task {
		fault.Method, fault.Path, fault.Times = http.MethodPost, "add-custom-attributes$", 1
		setFault(t, s, fault)
		_, etag := sdk.vm(t, id)
		response, err := sdk.vms.AddVmCustomAttributes(&id, attributes("a:b"), match(etag))
		require.NoError(t, err)
		return sdk.waitForTask(t, response.GetData())
	}
	task := fail(prismsim.Fault{TaskError: "no luck"})
	assert.Equal(t, tasks.TASKSTATUS_FAILED, *task.Status)
	assert.Equal(t, "VMM-10000 INTERNAL_ERROR no luck", *task.ErrorMessages[0].Code+" "+*task.ErrorMessages[0].ErrorGroup+" "+*task.ErrorMessages[0].Message)
	vm, _ := sdk.vm(t, id)
	assert.Empty(t, vm.CustomAttributes, "it failed before its work")

	task = fail(prismsim.Fault{TaskError: "late", AfterWork: true, TaskCode: "VMM-1", TaskGroup: "LATE"})
	assert.Equal(t, "VMM-1 LATE late", *task.ErrorMessages[0].Code+" "+*task.ErrorMessages[0].ErrorGroup+" "+*task.ErrorMessages[0].Message)
	vm, _ = sdk.vm(t, id)
	assert.Equal(t, []string{"a:b"}, vm.CustomAttributes)

	setFault(t, s, prismsim.Fault{Method: http.MethodPost, Path: "/v3/vms$", TaskError: "INTERNAL_ERROR: old", Times: 1})
	_, err := connect(t, s, nil).CreateVM(t.Context(), intent(t, s, "old"))
	require.NoError(t, err)
	old := s.Tasks()[2]
	task = sdk.waitForTask(t, map[string]string{"ExtID": "ZXJnb24=:" + old.UUID})
	assert.Equal(t, "INTERNAL_ERROR: old", *task.LegacyErrorMessage, "a task of an older API")
	assert.Empty(t, task.ErrorMessages)
}

func TestTasksAreListed(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.Latency.Update = hour })
	vm := addVM(t, s, nil)
	sdk := newVendorSDK(t, s)
	_, etag := sdk.vm(t, vm.UUID)
	_, err := sdk.vms.PowerOffVm(&vm.UUID, match(etag))
	require.NoError(t, err)
	for filter, want := range map[string]int{
		"status in ('QUEUED','RUNNING')":                                1,
		"status eq Prism.Config.TaskStatus'SUCCEEDED'":                  0,
		"entitiesAffected/any(a:a/extId eq '" + vm.UUID + "')":          1,
		"createdTime gt 2020-01-01T00:00:00Z":                           1,
		"createdTime lt 2020-01-01T00:00:00.5Z":                         0,
		"clusterExtIds/any(c:c eq '" + uuid.NewString() + "')":          0,
		"operation eq 'kVmSetPowerState' and progressPercentage lt 100": 1,
	} {
		response, err := sdk.tasks.ListTasks(nil, nil, &filter, nil, nil)
		require.NoError(t, err, filter)
		assert.Equal(t, want, *response.Metadata.TotalAvailableResults, filter)
	}
	_, err = sdk.tasks.GetTaskById(ptr("ZXJnb24=:"+uuid.NewString()), nil)
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	legacy := "legacy:" + s.Tasks()[0].UUID
	_, err = sdk.tasks.GetTaskById(&legacy, nil)
	assert.NoError(t, err)
	status, _ := v4(t, s, http.MethodGet, "nutanix/v3/tasks/"+s.Tasks()[0].UUID, "")
	assert.Equal(t, http.StatusOK, status, "v3 knows it, too")
}

func TestETagChangesWithVM(t *testing.T) {
	s := start(t, nil)
	id := addVM(t, s, nil).UUID
	sdk := newVendorSDK(t, s)
	seen := map[string]bool{}
	for _, change := range []func() error{
		func() error { return nil },
		func() error { return s.SetCustomAttributes(id, "a:b") },
		func() error { return s.MigrateVM(id, "nutanix-cluster-1-host-3") },
		func() error { return s.PowerOff(id) },
		func() error { return s.LearnAddress(id, "", "127.40.1.9") },
	} {
		require.NoError(t, change())
		_, etag := sdk.vm(t, id)
		_, again := sdk.vm(t, id)
		assert.Equal(t, etag, again, "reading changes nothing")
		seen[etag] = true
	}
	assert.Len(t, seen, 5)
}
