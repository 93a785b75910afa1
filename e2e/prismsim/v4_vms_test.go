package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	vmclient "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/client"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"
	vmerror "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/error"

	"github.com/capnt/capnt/e2e/prismsim"
)

const vmsPath = "vmm/v4.2/ahv/config/vms"

func TestVendorSDKReadsVMCreatedByV3(t *testing.T) {
	s := start(t, nil)
	body := intent(t, s, "vm-1")
	body.Metadata.Categories = map[string]string{"Environment": "Testing"}
	body.Spec.Resources.NicList[0].SubnetReference = ref("subnet", named(t, s, "subnet", "dual-stack-network"))
	made := create(t, connect(t, s, nil), body)
	category, err := s.CategoryID("Environment", "Testing")
	require.NoError(t, err)

	sdk := newVendorSDK(t, s)
	vm, etag := sdk.vm(t, *made.Metadata.UUID)
	assert.Equal(t, "v4.2", sdk.vms.ApiClient.GetNegotiatedVersion())
	assert.NotEmpty(t, etag)
	assert.Equal(t, "vm-1", *vm.Name)
	assert.Equal(t, *made.Metadata.UUID, *vm.BiosUuid)
	assert.Equal(t, vmm.POWERSTATE_ON, *vm.PowerState)
	assert.Equal(t, named(t, s, "cluster", "nutanix-cluster-1"), *vm.Cluster.ExtId)
	assert.Equal(t, named(t, s, "host", s.VMs()[0].Host), *vm.Host.ExtId)
	assert.Equal(t, []int{2, 1, 1}, []int{*vm.NumSockets, *vm.NumCoresPerSocket, *vm.NumThreadsPerCore})
	assert.EqualValues(t, 4<<30, *vm.MemorySizeBytes)
	assert.Equal(t, category, *vm.Categories[0].ExtId)
	assert.Equal(t, vmm.MACHINETYPE_PC, *vm.MachineType)
	assert.False(t, vm.CreateTime.IsZero())
	assert.EqualValues(t, 40960<<20, *vm.Disks[0].BackingInfo.GetValue().(vmm.VmDisk).DiskSizeBytes)

	nic := vm.Nics[0]
	network := nic.NicNetworkInfo.GetValue().(vmm.VirtualEthernetNicNetworkInfo)
	device := nic.NicBackingInfo.GetValue().(vmm.VirtualEthernetNic)
	want := s.VMs()[0].NICs[0]
	assert.Equal(t, want.UUID, *nic.ExtId)
	assert.Equal(t, want.MAC, *device.MacAddress)
	assert.Equal(t, named(t, s, "subnet", "dual-stack-network"), *network.Subnet.ExtId)
	assert.Equal(t, want.IPs[0], *network.Ipv4Config.IpAddress.Value)
	assert.Equal(t, want.IPs[1], *network.Ipv6Info.LearnedIpv6Addresses[0].Value)
	assert.Equal(t, want.IPs[0], *nic.NetworkInfo.Ipv4Config.IpAddress.Value, "the deprecated field is still there")
	assert.Empty(t, vm.UnknownFields_, "the SDK knows every field")
	assert.Empty(t, nic.UnknownFields_)
}

func TestOlderVersionsOmitNewerFields(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, func(f *prismsim.Fleet) { f.Subnets, f.Attributes = []string{"dhcp-network"}, []string{"key:value"} })
	for version, want := range map[string]struct {
		format                  string
		newNIC, project, custom bool
	}{
		"v4.0": {format: "v4.r0"},
		"v4.1": {format: "v4.r1", newNIC: true, project: true},
		"v4.2": {format: "v4.r2", newNIC: true, project: true, custom: true},
	} {
		status, body := v4(t, s, http.MethodGet, "vmm/"+version+"/ahv/config/vms/"+vm.UUID, "")
		require.Equal(t, http.StatusOK, status, version)
		data := valueAt(t, body, "data").(map[string]any)
		assert.Equal(t, want.format, valueAt(t, data, "$reserved", "$fv"), version)
		assert.Equal(t, want.custom, data["customAttributes"] != nil, version)
		assert.Equal(t, want.project, data["project"] != nil, version)
		assert.Equal(t, vm.NICs[0].IPs[0], valueAt(t, data, "nics", 0, "networkInfo", "ipv4Info", "learnedIpAddresses", 0, "value"), version)
		_, has := valueAt(t, data, "nics", 0).(map[string]any)["nicNetworkInfo"]
		assert.Equal(t, want.newNIC, has, version)
	}
	status, _ := v4(t, s, http.MethodPost, "vmm/v4.1/ahv/config/vms/"+vm.UUID+"/$actions/add-custom-attributes", "{}")
	assert.Equal(t, http.StatusNotFound, status, "an action of v4.2")
}

func TestServerServesVersionsUpToItsOwn(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.Inventory.PrismCentral.APIVersion = "v4.1" })
	status, body := v4(t, s, http.MethodOptions, "vmm/unversioned/info", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, map[string]any{"data": "v4.1"}, body)
	for version, want := range map[string]int{"v4.0": http.StatusOK, "v4.1": http.StatusOK, "v4.2": http.StatusNotFound, "v5.0": http.StatusNotFound} {
		status, body := v4(t, s, http.MethodGet, "vmm/"+version+"/ahv/config/vms", "")
		assert.Equal(t, want, status, version)
		if status == http.StatusNotFound {
			assert.Len(t, body, 1, "no code that a client could take for a missing VM")
			assert.Contains(t, body["message"], "The requested URL was not found")
		}
	}
}

func TestMissingVMReturnsTypedNotFound(t *testing.T) {
	s := start(t, nil)
	const missing = "11111111-2222-4333-8444-555555555555"
	_, err := newVendorSDK(t, s).vms.GetVmById(ptr(missing))
	var refused vmclient.GenericOpenAPIError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "404 Not Found", refused.Status)
	envelope := vmm.NewGetVmApiResponse()
	require.NoError(t, envelope.UnmarshalJSON(refused.Body))
	response, isError := envelope.GetData().(vmerror.ErrorResponse)
	require.True(t, isError, "%T", envelope.GetData())
	message := response.GetError().([]vmerror.AppMessage)[0]
	assert.Equal(t, "VMM-30100", *message.Code)
	assert.Equal(t, "VM_NOT_FOUND", *message.ErrorGroup)
	assert.Equal(t, map[string]string{"vm_uuid": missing}, message.ArgumentsMap)
	assert.Equal(t, "hasError true", *envelope.Metadata.Flags[0].Name+" "+map[bool]string{true: "true"}[*envelope.Metadata.Flags[0].Value])

	status, body := v4(t, s, http.MethodGet, vmsPath+"/no-uuid", "")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "@path.extId", valueAt(t, body, "data", "error", "validationErrorMessages", 0, "location"))
}

func TestV4VMIsNotFound_UntilCreateEnds(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.Latency.Create = hour })
	response, err := connect(t, s, nil).CreateVM(t.Context(), intent(t, s, "slow"))
	require.NoError(t, err)
	status, body := v4(t, s, http.MethodGet, vmsPath+"/"+*response.Metadata.UUID, "")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Equal(t, "VMM-30100", valueAt(t, body, "data", "error", 0, "code"))
	_, body = v4(t, s, http.MethodGet, vmsPath, "")
	assert.NotContains(t, body, "data", "an empty list has no data")
	assert.EqualValues(t, 0, valueAt(t, body, "metadata", "totalAvailableResults"))
}

func TestV4Authentication(t *testing.T) {
	s := start(t, func(o *prismsim.Options) { o.APIKey = "key-1" })
	for name, test := range map[string]struct {
		header string
		want   int
	}{
		"basic": {want: http.StatusOK}, "wrong password": {header: "Authorization: Basic eDp5", want: http.StatusUnauthorized},
		"API key": {header: "X-ntnx-api-key: key-1", want: http.StatusOK}, "wrong API key": {header: "X-ntnx-api-key: key-2", want: http.StatusUnauthorized},
	} {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		status, body := v4(t, s, http.MethodGet, vmsPath, "", headers...)
		assert.Equal(t, test.want, status, name)
		if status != http.StatusOK {
			assert.Equal(t, "vmm.v4.error.ErrorResponse", body["$objectType"], name)
			assert.Equal(t, "AUTHENTICATION_REQUIRED", valueAt(t, body, "error", 0, "errorGroup"), name)
		}
	}
	sdk := newVendorSDK(t, s)
	sdk.vms.ApiClient.Username, sdk.vms.ApiClient.Password = "", ""
	require.NoError(t, sdk.vms.ApiClient.SetApiKey("key-1"))
	_, err := sdk.vms.ListVms(nil, nil, nil, nil, nil)
	assert.NoError(t, err)
}
