package prismsim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestLearnedEndpointsAreRefusedInAnUpdate(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, withSubnet(intent(t, s, "vm-1"), ref("subnet", named(t, s, "subnet", "dhcp-network"))))
	learned := vm.Status.Resources.NicList[0].IPEndpointList
	require.Equal(t, "LEARNED", *learned[0].Type)
	assert.Empty(t, vm.Spec.Resources.NicList[0].IPEndpointList)
	update := func(body *v3.VMIntentInput) error {
		_, err := client.UpdateVM(t.Context(), *vm.Metadata.UUID, body)
		return err
	}
	vm.Spec.Resources.NicList[0].IPEndpointList = []*v3.IPAddress{{IP: learned[0].IP, Type: learned[0].Type}}
	err := update(&v3.VMIntentInput{Metadata: vm.Metadata, Spec: vm.Spec})
	assert.ErrorContains(t, err, "422")
	assert.ErrorContains(t, err, "IP address with type 'LEARNED' not allowed")

	s.SetRules(prismsim.Rules{LearnedInSpec: true})
	vm, err = client.GetVM(t.Context(), *vm.Metadata.UUID)
	require.NoError(t, err)
	require.Equal(t, "LEARNED", *vm.Spec.Resources.NicList[0].IPEndpointList[0].Type)
	assert.ErrorContains(t, update(&v3.VMIntentInput{Metadata: vm.Metadata, Spec: vm.Spec}), "LEARNED")
	s.SetRules(prismsim.Rules{AcceptLearned: true})
	task, _ := edit(t, client, vm, func(*v3.VMIntentInput) {})
	assert.Equal(t, "SUCCEEDED", *task.Status)
}

func TestPowerOffOfStoppedVM(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	sdk := newVendorSDK(t, s)
	body := intent(t, s, "vm-1")
	body.Spec.Resources.PowerState = ptr("OFF")
	vm := create(t, client, body)
	id := *vm.Metadata.UUID
	offByV4 := func() (string, error) {
		_, etag := sdk.vm(t, id)
		response, err := sdk.vms.PowerOffVm(&id, match(etag))
		if err != nil {
			return "", err
		}
		return sdk.waitForTask(t, response.GetData()).Status.GetName(), nil
	}
	task, vm := edit(t, client, vm, func(*v3.VMIntentInput) {})
	assert.Equal(t, "SUCCEEDED", *task.Status)
	ended, err := offByV4()
	require.NoError(t, err)
	assert.Equal(t, "SUCCEEDED", ended)

	s.SetRules(prismsim.Rules{PowerOffWhenOff: prismsim.RefusedByTask})
	task, vm = edit(t, client, vm, func(*v3.VMIntentInput) {})
	assert.Contains(t, *task.ErrorDetail, "is not in a state to be powered off")
	for _, change := range []func(*v3.VMIntentInput){
		func(b *v3.VMIntentInput) { b.Spec.Description = ptr("changed") },
		func(b *v3.VMIntentInput) { b.Metadata.Categories = map[string]string{"Environment": "Testing"} },
		func(b *v3.VMIntentInput) {
			b.Metadata.ProjectReference = ref("project", named(t, s, "project", "research"))
		},
		func(b *v3.VMIntentInput) { b.Spec.Resources.NicList = nil },
	} {
		task, vm = edit(t, client, vm, change)
		assert.Equal(t, "SUCCEEDED", *task.Status, "an update that changes something is not about the power state")
	}
	ended, err = offByV4()
	require.NoError(t, err)
	assert.Equal(t, "FAILED", ended)

	s.SetRules(prismsim.Rules{PowerOffWhenOff: prismsim.RefusedByRequest})
	_, err = client.UpdateVM(t.Context(), id, &v3.VMIntentInput{Metadata: vm.Metadata, Spec: vm.Spec})
	assert.ErrorContains(t, err, "is not in a state to be powered off")
	_, err = offByV4()
	assert.ErrorContains(t, err, "is not in a state to be powered off")
	task, vm = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Resources.PowerState = ptr("ON") })
	require.Equal(t, "SUCCEEDED", *task.Status)
	task, _ = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Resources.PowerState = ptr("OFF") })
	assert.Equal(t, "SUCCEEDED", *task.Status, "a VM that is on is switched off")
	require.NoError(t, s.PowerOn(id))
	ended, err = offByV4()
	require.NoError(t, err)
	assert.Equal(t, "SUCCEEDED", ended)
}

func TestTasksListDuplicateAndUnknownEntities(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	task := s.Tasks()[0].UUID
	for name, test := range map[string]struct {
		rules prismsim.Rules
		want  int // number of entities
		first bool
	}{
		"as it is":  {prismsim.Rules{}, 1, true},
		"duplicate": {prismsim.Rules{DuplicateTaskEntities: true}, 2, true},
		"unknown":   {prismsim.Rules{UnknownTaskEntities: true}, 2, false},
		"both":      {prismsim.Rules{DuplicateTaskEntities: true, UnknownTaskEntities: true}, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			s.SetRules(test.rules)
			byV3, err := client.GetTask(t.Context(), task)
			require.NoError(t, err)
			assert.Len(t, byV3.EntityReferenceList, test.want)
			assert.Equal(t, test.first, *byV3.EntityReferenceList[0].UUID == *vm.Metadata.UUID)
			assert.Equal(t, *vm.Metadata.UUID, *byV3.EntityReferenceList[test.want-1].UUID)
			_, byV4 := v4(t, s, http.MethodGet, "prism/v4.2/config/tasks/legacy:"+task, "")
			assert.Len(t, valueAt(t, byV4, "data", "entitiesAffected"), test.want)
		})
	}
}

func TestVersionInfoIsMissing(t *testing.T) {
	s := start(t, nil)
	info := func() int {
		code, _ := v4(t, s, http.MethodOptions, "vmm/unversioned/info", "")
		return code
	}
	assert.Equal(t, http.StatusOK, info())
	s.SetRules(prismsim.Rules{NoVersionInfo: true})
	assert.Equal(t, http.StatusNotFound, info())
	vm := addVM(t, s, nil)
	shown, _ := newVendorSDK(t, s).vm(t, vm.UUID)
	assert.Equal(t, vm.Name, *shown.Name, "the SDK then uses its own version")
}

func TestRequestIDsAreForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		rules   prismsim.Rules
		changes int
	}{
		"remembered":        {prismsim.Rules{}, 1},
		"forgotten":         {prismsim.Rules{ForgetRequestIDs: true}, 2},
		"remembered for 1h": {prismsim.Rules{RequestIDLife: prismsim.Duration(time.Hour)}, 1},
		"remembered for ns": {prismsim.Rules{RequestIDLife: prismsim.Duration(time.Nanosecond)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(o *prismsim.Options) { o.Rules = test.rules })
			vm := addVM(t, s, nil)
			_, etag := newVendorSDK(t, s).vm(t, vm.UUID)
			changes := 0
			for range 2 {
				code, _ := v4(t, s, http.MethodPost, "vmm/v4.2/ahv/config/vms/"+vm.UUID+"/$actions/add-custom-attributes", `{"customAttributes":["a:b"]}`,
					"If-Match: "+etag, "NTNX-Request-Id: 11111111-2222-4333-8444-555555555555")
				if code == http.StatusPreconditionFailed {
					changes++ // a new change invalidates the previous ETag
				}
			}
			assert.Equal(t, test.changes, changes+len(s.Tasks()))
		})
	}
}
