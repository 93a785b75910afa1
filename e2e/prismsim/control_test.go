package prismsim_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestControlEndpoints(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	id := *vm.Metadata.UUID
	send := func(method, path, body string, want int) string {
		t.Helper()
		response, out := request(t, s, method, path, body, nil)
		require.Equal(t, want, response.StatusCode, "%s %s: %s", method, path, out)
		return out
	}

	var state prismsim.State
	require.NoError(t, json.Unmarshal([]byte(send(http.MethodGet, "/sim/state", "", http.StatusOK)), &state))
	assert.Equal(t, "vm-1", state.VMs[0].Name)
	assert.Equal(t, "create_vm_intentful", state.Tasks[0].Operation)
	assert.Equal(t, "Environment", state.Categories[0].Key)

	send(http.MethodPost, "/sim/faults", `{"path":"/vms/list$","status":429,"retryAfter":"3s"}`, http.StatusCreated)
	send(http.MethodPost, "/api/nutanix/v3/vms/list", "", http.StatusTooManyRequests)
	assert.Contains(t, send(http.MethodGet, "/sim/faults", "", http.StatusOK), `"retryAfter":"3s"`)
	send(http.MethodDelete, "/sim/faults/fault-1", "", http.StatusNoContent)
	send(http.MethodPost, "/api/nutanix/v3/vms/list", "", http.StatusOK)
	send(http.MethodPost, "/sim/faults", `{"status":503}`, http.StatusCreated)
	send(http.MethodDelete, "/sim/faults", "", http.StatusNoContent)
	send(http.MethodPost, "/api/nutanix/v3/vms/list", "", http.StatusOK)
	assert.Contains(t, send(http.MethodPost, "/sim/faults", `{"colour":"red"}`, http.StatusBadRequest), "colour")

	send(http.MethodPost, "/sim/images", `{"name":"new","size":"3Gi"}`, http.StatusCreated)
	image, err := client.GetImage(t.Context(), named(t, s, "image", "new"))
	require.NoError(t, err)
	assert.EqualValues(t, 3<<30, *image.Status.Resources.SizeBytes)
	require.NoError(t, s.RemoveImage(*image.Metadata.UUID))
	assert.Error(t, s.RemoveImage(*image.Metadata.UUID))
	send(http.MethodPost, "/sim/images", `{}`, http.StatusBadRequest)

	send(http.MethodPost, "/sim/vms/"+id+"/power_off", "", http.StatusNoContent)
	assert.Equal(t, "OFF", s.VMs()[0].PowerState)
	send(http.MethodPost, "/sim/vms/"+id+"/power_on", "", http.StatusNoContent)
	send(http.MethodDelete, "/sim/vms/"+id, "", http.StatusNoContent)
	send(http.MethodDelete, "/sim/vms/"+id, "", http.StatusNotFound)
	assert.Contains(t, send(http.MethodGet, "/sim/requests", "", http.StatusOK), `"path":"/api/nutanix/v3/vms"`)
	response, _ := request(t, s, http.MethodGet, "/sim/state", "", func(r *http.Request) { r.Header.Del("Authorization") })
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
}

func TestJournalRedactsBodies(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	_, err := client.CreateVM(t.Context(), intent(t, s, "unseen"))
	require.NoError(t, err)
	s.RecordBodies(true)
	body := intent(t, s, "seen")
	body.Spec.Resources.GuestCustomization = &v3.GuestCustomization{CloudInit: &v3.GuestCustomizationCloudInit{UserData: ptr("c2VjcmV0")}}
	_, err = client.CreateVM(t.Context(), body)
	require.NoError(t, err)
	requests := s.Requests()
	require.Len(t, requests, 2)
	assert.Empty(t, requests[0].Body)
	assert.Contains(t, string(requests[1].Body), `"name":"seen"`)
	assert.Contains(t, string(requests[1].Body), `"user_data":"REDACTED"`)
	assert.NotContains(t, string(requests[1].Body), "c2VjcmV0")
	assert.Equal(t, "POST /api/nutanix/v3/vms admin", requests[1].Method+" "+requests[1].Path+" "+requests[1].User)
	assert.Equal(t, http.StatusAccepted, requests[1].Status)
	assert.Positive(t, requests[1].Duration)
}
