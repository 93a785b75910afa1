package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestExternalChangeIsVisibleInBothAPIs(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	before := create(t, client, intent(t, s, "vm-1"))
	id := *before.Metadata.UUID
	const bios = "11111111-2222-4333-8444-555555555555"
	require.NoError(t, s.ChangeVM(id, prismsim.VMChange{
		Name: ptr("renamed"), Description: ptr("by an operator"), MemoryMiB: ptr(int64(8192)), BIOSUUID: ptr(bios),
		Categories: map[string][]string{"Backup": {"daily"}},
	}))

	after, err := client.GetVM(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "renamed", *after.Spec.Name)
	assert.Equal(t, "renamed", *after.Status.Name)
	assert.Equal(t, "by an operator", *after.Status.Description)
	assert.EqualValues(t, 8192, *after.Status.Resources.MemorySizeMib)
	assert.EqualValues(t, 2, *after.Status.Resources.NumSockets, "what is not named stays")
	assert.Equal(t, map[string]string{"Backup": "daily"}, after.Metadata.Categories)
	assert.EqualValues(t, 1, *after.Metadata.SpecVersion)
	shown, _ := newVendorSDK(t, s).vm(t, id)
	assert.Equal(t, []any{"renamed", bios, 8192 << 20}, []any{*shown.Name, *shown.BiosUuid, int(*shown.MemorySizeBytes)})

	_, err = client.UpdateVM(t.Context(), id, &v3.VMIntentInput{Metadata: before.Metadata, Spec: before.Spec})
	assert.ErrorContains(t, err, "409", "the change raised spec_version")
	require.NoError(t, s.ChangeVM(id, prismsim.VMChange{Name: ptr("again"), KeepSpecVersion: true}))
	task, _ := edit(t, client, after, func(*v3.VMIntentInput) {})
	assert.Equal(t, "SUCCEEDED", *task.Status)

	for text, change := range map[string]prismsim.VMChange{
		"name is empty": {Name: ptr("")},
		"not a UUID":    {BIOSUUID: ptr("x")},
		"less than 1":   {MemoryMiB: ptr(int64(0))},
	} {
		assert.ErrorContains(t, s.ChangeVM(id, change), text)
	}
	assert.ErrorContains(t, s.ChangeVM(bios, prismsim.VMChange{}), "does not exist")
}

func TestVMHasSeveralValuesOfACategoryKey(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	body := intent(t, s, "vm-1")
	body.Metadata.Categories = map[string]string{"Environment": "Testing"}
	id := *create(t, client, body).Metadata.UUID
	require.NoError(t, s.ChangeVM(id, prismsim.VMChange{Categories: map[string][]string{"Environment": {"Testing", "Staging"}}}))
	read := func() *v3.VMIntentResponse {
		vm, err := client.GetVM(t.Context(), id)
		require.NoError(t, err)
		return vm
	}
	assert.Equal(t, "Testing", read().Metadata.Categories["Environment"])
	assert.Equal(t, []string{"Testing", "Staging"}, read().Metadata.CategoriesMapping["Environment"])
	assert.Equal(t, map[string][]string{"Environment": {"Testing", "Staging"}}, s.VMs()[0].CategoryValues)
	shown, _ := newVendorSDK(t, s).vm(t, id)
	assert.Len(t, shown.Categories, 2)
	for _, filter := range []string{"categories.Environment==Staging", "category==Environment:Testing"} {
		list, err := client.ListVM(t.Context(), &v3.DSMetadata{Filter: &filter})
		require.NoError(t, err)
		assert.Len(t, list.Entities, 1, filter)
	}
	response, text := request(t, s, http.MethodDelete, "/api/nutanix/v3/categories/Environment/Staging", "", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, response.StatusCode, text)

	s.SetRules(prismsim.Rules{KeepCategoryValues: true})
	_, vm := edit(t, client, read(), func(*v3.VMIntentInput) {})
	assert.Equal(t, []string{"Testing", "Staging"}, vm.Metadata.CategoriesMapping["Environment"])
	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Metadata.Categories["Environment"] = "Production" })
	assert.Equal(t, []string{"Production"}, vm.Metadata.CategoriesMapping["Environment"], "the VM did not have the value")
	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) {
		b.Metadata.UseCategoriesMapping = ptr(true)
		b.Metadata.CategoriesMapping = map[string][]string{"Environment": {"Staging", "Production"}, "AppTier": {"Default"}}
	})
	assert.Equal(t, map[string][]string{"Environment": {"Staging", "Production"}, "AppTier": {"Default"}}, vm.Metadata.CategoriesMapping)
	s.SetRules(prismsim.Rules{})
	_, vm = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Metadata.UseCategoriesMapping = nil })
	assert.Equal(t, map[string][]string{"Environment": {"Staging"}, "AppTier": {"Default"}}, vm.Metadata.CategoriesMapping)
	require.NoError(t, s.ChangeVM(id, prismsim.VMChange{Categories: map[string][]string{"AppTier": nil}}))
	assert.NotContains(t, read().Metadata.Categories, "AppTier")
}

func TestFailoverGivesVMNewUUID(t *testing.T) {
	for name, newDevices := range map[string]bool{"same devices": false, "new devices": true} {
		t.Run(name, func(t *testing.T) {
			h := newHypervisor()
			s := start(t, func(o *prismsim.Options) { o.Hypervisor = h })
			client := connect(t, s, nil)
			body := intent(t, s, "vm-1")
			body.Spec.Description = ptr("mark")
			body.Metadata.Categories = map[string]string{"Environment": "Testing"}
			before := create(t, client, body)
			old := s.VMs()[0]

			id, err := s.FailOverVM(old.UUID, prismsim.Failover{PrismElement: "nutanix-cluster-2", NewDevices: newDevices})
			require.NoError(t, err)
			_, err = client.GetVM(t.Context(), old.UUID)
			require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
			require.Len(t, s.VMs(), 1)
			now := s.VMs()[0]
			assert.Equal(t, []any{id, "vm-1", "mark", old.BIOSUUID, "ON", "nutanix-cluster-2", old.Categories},
				[]any{now.UUID, now.Name, now.Description, now.BIOSUUID, now.PowerState, now.PrismElement, now.Categories})
			assert.Equal(t, old.NICs[0].IPs, now.NICs[0].IPs)
			assert.Equal(t, newDevices, old.NICs[0].UUID != now.NICs[0].UUID)
			assert.Equal(t, newDevices, old.Disks[0].UUID != now.Disks[0].UUID)

			vm, err := client.GetVM(t.Context(), id)
			require.NoError(t, err)
			task, _ := edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Description = ptr("changed") })
			assert.Equal(t, "SUCCEEDED", *task.Status, "its NICs may stay on subnets of the other Prism Element")
			_, err = client.DeleteVM(t.Context(), *before.Metadata.UUID)
			require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
			gone, err := client.DeleteVM(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, "SUCCEEDED", *wait(t, client, gone.Status.ExecutionContext).Status)
			again := create(t, client, intent(t, s, "vm-2"))
			assert.NotEmpty(t, again.Spec.Resources.NicList[0].IPEndpointList, "the address is free again")
		})
	}
}

func TestFailoverTakesTime(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	_, err := s.FailOverVM(vm.UUID, prismsim.Failover{PrismElement: "nutanix-cluster-2", After: prismsim.Duration(20 * time.Millisecond), Off: true})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(s.VMs()) == 1 }, waitFor, tick)
	assert.Equal(t, "OFF", s.VMs()[0].PowerState)
	_, err = s.FailOverVM(s.VMs()[0].UUID, prismsim.Failover{PrismElement: "none"})
	assert.ErrorContains(t, err, "there is no Prism Element")
	_, err = s.FailOverVM(s.VMs()[0].UUID, prismsim.Failover{PrismElement: "nutanix-cluster-2", UUID: s.VMs()[0].UUID})
	assert.ErrorContains(t, err, "belongs to another VM")
	_, err = s.FailOverVM(s.VMs()[0].UUID, prismsim.Failover{PrismElement: "nutanix-cluster-2", After: prismsim.Duration(hour)})
	require.NoError(t, err)
	assert.Empty(t, s.VMs(), "Prism Central does not know the VM meanwhile")
}

func TestControlEndpointsOfVMs(t *testing.T) {
	s := start(t, nil)
	vm := addVM(t, s, nil)
	send := func(method, path, body string, want int) string {
		t.Helper()
		response, text := request(t, s, method, "/sim/"+path, body, nil)
		require.Equal(t, want, response.StatusCode, "%s %s: %s", method, path, text)
		return text
	}
	send(http.MethodPatch, "vms/"+vm.UUID, `{"description":"x","categories":{"Team":["a","b"]}}`, http.StatusNoContent)
	assert.Equal(t, []string{"a", "b"}, s.VMs()[0].CategoryValues["Team"])
	send(http.MethodPatch, "vms/"+vm.UUID, `{"colour":"red"}`, http.StatusBadRequest)
	send(http.MethodPatch, "vms/"+vm.UUID, `{"memoryMiB":0}`, http.StatusBadRequest)
	var moved struct{ UUID string }
	require.NoError(t, json.Unmarshal([]byte(send(http.MethodPost, "vms/"+vm.UUID+"/failover", `{"prismElement":"nutanix-cluster-2"}`, http.StatusOK)), &moved))
	assert.Equal(t, moved.UUID, s.VMs()[0].UUID)
	send(http.MethodPost, "vms/"+vm.UUID+"/failover", `{"prismElement":"nutanix-cluster-2"}`, http.StatusNotFound)
	send(http.MethodPost, "vms/"+moved.UUID+"/failover", `{"after":"soon"}`, http.StatusBadRequest)

	send(http.MethodPut, "rules", `{"keepCategoryValues":true}`, http.StatusOK)
	assert.True(t, s.Rules().KeepCategoryValues)
	assert.Contains(t, send(http.MethodGet, "state", "", http.StatusOK), `"rules":{"keepCategoryValues":true}`)
	send(http.MethodPatch, "rules", `{}`, http.StatusOK)
	assert.True(t, s.Rules().KeepCategoryValues)
	send(http.MethodPut, "rules", `{}`, http.StatusOK)
	assert.JSONEq(t, `{}`, send(http.MethodGet, "rules", "", http.StatusOK))
	send(http.MethodPut, "rules", `{"colour":"red"}`, http.StatusBadRequest)
}
