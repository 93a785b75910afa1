package prismsim_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	prismgoclient "github.com/nutanix-cloud-native/prism-go-client"
	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

// status sends a request with the credentials of account and returns the HTTP status of the response.
func status(t *testing.T, s *prismsim.Server, account, method, path string) int {
	t.Helper()
	response, _ := request(t, s, method, path, "{}", func(r *http.Request) { r.SetBasicAuth(account, testPassword) })
	return response.StatusCode
}

func TestHiddenEntitiesAreNeitherListedNorFound(t *testing.T) {
	s := start(t, nil)
	s.SetAccount("limited", testPassword)
	admin := connect(t, s, nil)
	limited := connect(t, s, func(c *prismgoclient.Credentials) { c.Username = "limited" })
	vm := create(t, admin, intent(t, s, "vm-1"))
	shown := create(t, admin, intent(t, s, "vm-2"))
	id, pe := *vm.Metadata.UUID, named(t, s, "cluster", "nutanix-cluster-1")
	for _, want := range []int{http.StatusNotFound, http.StatusForbidden} {
		t.Run(strconv.Itoa(want), func(t *testing.T) {
			require.NoError(t, s.SetRights("limited", prismsim.Rights{Hidden: []string{strings.ToUpper(id), pe}, HiddenKinds: []string{"image", "category"}, Status: want}))
			list, err := limited.ListVM(t.Context(), &v3.DSMetadata{})
			require.NoError(t, err)
			assert.Equal(t, []string{"vm-2"}, names(list))
			assert.EqualValues(t, 1, *list.Metadata.TotalMatches)
			clusters, err := limited.ListAllCluster(t.Context(), "")
			require.NoError(t, err)
			assert.False(t, slices.ContainsFunc(clusters.Entities, func(c *v3.ClusterIntentResponse) bool { return *c.Metadata.UUID == pe }))
			images, err := limited.ListAllImage(t.Context(), "")
			require.NoError(t, err)
			assert.Empty(t, images.Entities)
			for _, path := range []string{
				"/api/nutanix/v3/vms/" + id, "/api/nutanix/v3/clusters/" + pe, "/api/vmm/v4.2/ahv/config/vms/" + id,
				"/api/vmm/v4.2/ahv/config/vms/" + strings.ToUpper(id),
				"/api/clustermgmt/v4.2/config/clusters/" + pe, "/api/nutanix/v3/images/" + named(t, s, "image", "data-seed"),
				"/api/nutanix/v3/categories/Environment",
			} {
				assert.Equal(t, want, status(t, s, "limited", http.MethodGet, path), path)
				assert.Equal(t, http.StatusOK, status(t, s, testUser, http.MethodGet, path), path)
			}
			assert.Equal(t, want, status(t, s, "limited", http.MethodDelete, "/api/nutanix/v3/vms/"+id))
			assert.Equal(t, want, status(t, s, "limited", http.MethodPost, "/api/vmm/v4.2/ahv/config/vms/"+id+"/$actions/power-off"))
			assert.Equal(t, http.StatusOK, status(t, s, "limited", http.MethodGet, "/api/nutanix/v3/vms/"+*shown.Metadata.UUID))
		})
	}
	all, err := admin.ListVM(t.Context(), &v3.DSMetadata{})
	require.NoError(t, err)
	assert.Len(t, all.Entities, 2)
	_, response := v4(t, s, http.MethodGet, "vmm/v4.2/ahv/config/vms", "")
	assert.Len(t, response["data"], 2)
}

func TestHiddenEntitiesAreMissingInQueries(t *testing.T) {
	s := start(t, nil)
	s.AddCategory("Team", "a")
	vm := addVM(t, s, func(fleet *prismsim.Fleet) { fleet.Categories = map[string]string{"Team": "a"} })
	container := named(t, s, "storage_container", "fast")
	results := func(path, body string) string {
		t.Helper()
		response, text := request(t, s, http.MethodPost, "/api/nutanix/v3/"+path, body, nil)
		require.Equal(t, http.StatusOK, response.StatusCode, text)
		return text
	}
	both := func() string {
		return results("category/query", `{"category_filter":{"params":{"Team":["a"]}}}`) + results("groups", `{"entity_type":"storage_container"}`)
	}
	assert.Contains(t, both(), vm.UUID)
	assert.Contains(t, both(), container)
	require.NoError(t, s.SetRights(testUser, prismsim.Rights{Hidden: []string{vm.UUID, container}}))
	assert.NotContains(t, both(), vm.UUID)
	assert.NotContains(t, both(), container)
}

func TestRightsCanBeRevokedAtRunTime(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))
	_, err := client.GetVM(t.Context(), *vm.Metadata.UUID)
	require.NoError(t, err)

	require.NoError(t, s.SetRights(testUser, prismsim.Rights{HiddenKinds: []string{"vm"}}))
	_, err = client.GetVM(t.Context(), *vm.Metadata.UUID)
	assert.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	byV3, byV4 := listedVMs(t, s)
	assert.Empty(t, byV3)
	assert.Empty(t, byV4)
	later := createHidden(t, client, intent(t, s, "vm-2"))
	assert.Equal(t, http.StatusNotFound, status(t, s, testUser, http.MethodGet, "/api/nutanix/v3/vms/"+later), "also what is created later")

	require.NoError(t, s.SetRights(testUser, prismsim.Rights{HiddenKinds: []string{"cluster"}}))
	_, err = client.GetVM(t.Context(), *vm.Metadata.UUID)
	require.NoError(t, err)
	clusters, err := client.ListAllCluster(t.Context(), "")
	require.NoError(t, err)
	assert.Empty(t, clusters.Entities)
	require.NoError(t, s.SetRights(testUser, prismsim.Rights{}))
	assert.Error(t, s.SetRights(testUser, prismsim.Rights{Status: 500}))
}

// createHidden creates a VM that the client has no right to read. It returns the UUID of the VM.
func createHidden(t *testing.T, client v3.Service, body *v3.VMIntentInput) string {
	t.Helper()
	response, err := client.CreateVM(t.Context(), body)
	require.NoError(t, err)
	wait(t, client, response.Status.ExecutionContext)
	return *response.Metadata.UUID
}

func TestLockoutRefusesTheRightPassword(t *testing.T) {
	login := func(s *prismsim.Server, password string) int {
		response, _ := request(t, s, http.MethodGet, mePath, "", func(r *http.Request) { r.SetBasicAuth(testUser, password) })
		return response.StatusCode
	}
	for _, locked := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		s := start(t, func(o *prismsim.Options) {
			o.Rules = prismsim.Rules{LockoutAfter: 2, LockoutFor: prismsim.Duration(hour), LockoutStatus: locked}
		})
		response, _ := request(t, s, http.MethodGet, mePath, "", nil)
		session := sessionOf(t, response)
		assert.Equal(t, http.StatusUnauthorized, login(s, "wrong"))
		assert.Equal(t, http.StatusOK, login(s, testPassword), "a login that succeeds starts the count again")
		assert.Equal(t, http.StatusUnauthorized, login(s, "wrong"))
		assert.Equal(t, http.StatusUnauthorized, login(s, "wrong"))
		assert.Equal(t, locked, login(s, testPassword))
		response, _ = request(t, s, http.MethodGet, mePath, "", func(r *http.Request) {
			r.Header.Del("Authorization")
			r.AddCookie(session)
		})
		assert.Equal(t, http.StatusOK, response.StatusCode, "sessions stay valid")
		response, _ = request(t, s, http.MethodGet, "/sim/state", "", nil)
		assert.Equal(t, http.StatusOK, response.StatusCode, "the control endpoints stay open")
		s.SetPassword(testPassword)
		assert.Equal(t, http.StatusOK, login(s, testPassword))
	}
	s := start(t, func(o *prismsim.Options) {
		o.Rules = prismsim.Rules{LockoutAfter: 1, LockoutFor: prismsim.Duration(10 * time.Millisecond)}
	})
	assert.Equal(t, http.StatusUnauthorized, login(s, "wrong"))
	require.Eventually(t, func() bool { return login(s, testPassword) == http.StatusOK }, waitFor, tick, "a lockout ends")
}

func TestDisconnectedPrismElement(t *testing.T) {
	tests := map[string]struct {
		how    prismsim.Disconnection
		listed bool
		want   int
	}{
		"not found":   {prismsim.Disconnection{}, false, http.StatusNotFound},
		"unavailable": {prismsim.Disconnection{Status: 503}, false, http.StatusServiceUnavailable},
		"as it was":   {prismsim.Disconnection{Status: 200, Listed: true}, true, http.StatusOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			client := connect(t, s, nil)
			vm := create(t, client, intent(t, s, "vm-1"))
			path := "/api/nutanix/v3/vms/" + *vm.Metadata.UUID
			require.NoError(t, s.DisconnectPrismElement("nutanix-cluster-1", test.how))
			byV3, byV4 := listedVMs(t, s)
			assert.Equal(t, test.listed, len(byV3) == 1)
			assert.Equal(t, test.listed, len(byV4) == 1)
			assert.Equal(t, test.want, status(t, s, testUser, http.MethodGet, path))
			assert.Equal(t, test.want, status(t, s, testUser, http.MethodGet, "/api/vmm/v4.2/ahv/config/vms/"+*vm.Metadata.UUID))
			assert.Equal(t, "ON", s.VMs()[0].PowerState, "its VMs run on")
			pe, err := client.GetCluster(t.Context(), named(t, s, "cluster", "nutanix-cluster-1"))
			require.NoError(t, err, "the Prism Element stays")
			assert.False(t, *pe.Status.Resources.Config.IsAvailable)

			response, err := client.CreateVM(t.Context(), intent(t, s, "vm-2"))
			require.NoError(t, err)
			task := wait(t, client, response.Status.ExecutionContext)
			assert.Contains(t, *task.ErrorDetail, "is not reachable")
			if test.want == http.StatusOK {
				task, _ = edit(t, client, vm, func(b *v3.VMIntentInput) { b.Spec.Description = ptr("x") })
				assert.Contains(t, *task.ErrorDetail, "is not reachable")
				gone, err := client.DeleteVM(t.Context(), *vm.Metadata.UUID)
				require.NoError(t, err)
				assert.Equal(t, "FAILED", *wait(t, client, gone.Status.ExecutionContext).Status)
			} else {
				assert.Equal(t, test.want, status(t, s, testUser, http.MethodDelete, path))
			}
			require.NoError(t, s.ReconnectPrismElement("nutanix-cluster-1"))
			assert.Equal(t, http.StatusOK, status(t, s, testUser, http.MethodGet, path))
			assert.Len(t, s.VMs(), 1)
			assert.Equal(t, http.StatusNotFound, status(t, s, testUser, http.MethodGet, "/api/nutanix/v3/vms/"+*response.Metadata.UUID), "a failed creation leaves no VM")
		})
	}
	s := start(t, nil)
	assert.Error(t, s.DisconnectPrismElement("none", prismsim.Disconnection{}))
	assert.Error(t, s.DisconnectPrismElement("nutanix-cluster-1", prismsim.Disconnection{Status: 302}))
}

func TestDisconnectedPrismElementInV4(t *testing.T) {
	s := start(t, nil)
	id := addVM(t, s, nil).UUID
	available := func() any {
		_, cluster := v4(t, s, http.MethodGet, "clustermgmt/v4.2/config/clusters/"+named(t, s, "cluster", "nutanix-cluster-1"), "")
		return valueAt(t, cluster, "data", "config", "isAvailable")
	}
	assert.Equal(t, true, available())
	require.NoError(t, s.DisconnectPrismElement("nutanix-cluster-1", prismsim.Disconnection{Status: 200}))
	assert.Equal(t, false, available())
	sdk := newVendorSDK(t, s)
	_, etag := sdk.vm(t, id)
	off, err := sdk.vms.PowerOffVm(&id, match(etag))
	require.NoError(t, err)
	task := sdk.waitForTask(t, off.GetData())
	require.Len(t, task.ErrorMessages, 1)
	assert.Contains(t, *task.ErrorMessages[0].Message, "is not reachable")
	assert.Equal(t, "ON", s.VMs()[0].PowerState)
}

func TestControlEndpointsOfAccountsAndConnections(t *testing.T) {
	s := start(t, nil)
	send := func(method, path, body string, want int) {
		t.Helper()
		response, text := request(t, s, method, "/sim/"+path, body, nil)
		require.Equal(t, want, response.StatusCode, "%s %s: %s", method, path, text)
	}
	send(http.MethodPut, "accounts/limited", `{"password":"`+testPassword+`"}`, http.StatusNoContent)
	send(http.MethodPut, "accounts/limited/rights", `{"hiddenKinds":["vm"],"status":403}`, http.StatusNoContent)
	assert.Equal(t, http.StatusOK, status(t, s, "limited", http.MethodGet, mePath))
	send(http.MethodPut, "accounts/limited/rights", `{"status":500}`, http.StatusBadRequest)
	send(http.MethodPut, "accounts/limited", `{"colour":"red"}`, http.StatusBadRequest)
	send(http.MethodPost, "clusters/nutanix-cluster-1/disconnect", `{"status":503}`, http.StatusNoContent)
	send(http.MethodPost, "clusters/nutanix-cluster-1/disconnect", `{"status":1}`, http.StatusBadRequest)
	send(http.MethodPost, "clusters/none/disconnect", `{}`, http.StatusNotFound)
	send(http.MethodPost, "clusters/nutanix-cluster-1/reconnect", ``, http.StatusNoContent)
	send(http.MethodPost, "clusters/none/reconnect", ``, http.StatusNotFound)
}
