package prismsim_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	clusterapi "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/api"
	clusterclient "github.com/nutanix/ntnx-api-golang-clients/clustermgmt-go-client/v4/client"
	prismapi "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/api"
	prismclient "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/client"
	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"
	vmapi "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/api"
	vmclient "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/client"
	vmm "github.com/nutanix/ntnx-api-golang-clients/vmm-go-client/v4/models/vmm/v4/ahv/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// vendor contains clients of the vendor's SDK for one server. The clients are not safe for concurrent use.
type vendor struct {
	vms            *vmapi.VmApi
	images         *vmapi.ImagesApi
	policies       *vmapi.VmAntiAffinityPoliciesApi
	clusters       *clusterapi.ClustersServiceApi
	containers     *clusterapi.StorageContainersServiceApi
	tasks          *prismapi.TasksApi
	categories     *prismapi.CategoriesApi
	domainManagers *prismapi.DomainManagerApi
}

// newVendorSDK returns clients of the vendor's SDK. The SDK cannot be configured with a CA, so the clients do not
// verify the certificate.
func newVendorSDK(t *testing.T, s *prismsim.Server) *vendor {
	t.Helper()
	host, text, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	v, c, p := vmclient.NewApiClient(), clusterclient.NewApiClient(), prismclient.NewApiClient()
	v.Host, v.Port, v.Username, v.Password, v.VerifySSL, v.MaxRetryAttempts = host, port, testUser, testPassword, false, 0
	c.Host, c.Port, c.Username, c.Password, c.VerifySSL, c.MaxRetryAttempts = host, port, testUser, testPassword, false, 0
	p.Host, p.Port, p.Username, p.Password, p.VerifySSL, p.MaxRetryAttempts = host, port, testUser, testPassword, false, 0
	return &vendor{
		vms: vmapi.NewVmApi(v), images: vmapi.NewImagesApi(v), policies: vmapi.NewVmAntiAffinityPoliciesApi(v),
		clusters: clusterapi.NewClustersServiceApi(c), containers: clusterapi.NewStorageContainersServiceApi(c),
		tasks: prismapi.NewTasksApi(p), categories: prismapi.NewCategoriesApi(p), domainManagers: prismapi.NewDomainManagerApi(p),
	}
}

// vm reads a VM and its ETag.
func (v *vendor) vm(t *testing.T, id string) (vmm.Vm, string) {
	t.Helper()
	response, err := v.vms.GetVmById(&id)
	require.NoError(t, err)
	vm, isVM := response.GetData().(vmm.Vm)
	require.True(t, isVM, "%T", response.GetData())
	return vm, v.vms.ApiClient.GetEtag(vm)
}

// match returns the arguments that make the SDK send an ETag in If-Match.
func match(etag string) map[string]any { return map[string]any{"If-Match": &etag} }

// waitForTask polls the task in a response until the task ends.
func (v *vendor) waitForTask(t *testing.T, data any) tasks.Task {
	t.Helper()
	raw, err := json.Marshal(data)
	require.NoError(t, err)
	var reference struct{ ExtID string }
	require.NoError(t, json.Unmarshal(raw, &reference))
	require.Contains(t, reference.ExtID, "ZXJnb24=:")
	var task tasks.Task
	require.Eventually(t, func() bool {
		response, err := v.tasks.GetTaskById(&reference.ExtID, nil)
		require.NoError(t, err)
		var isTask bool
		task, isTask = response.GetData().(tasks.Task)
		require.True(t, isTask, "%T", response.GetData())
		return *task.Status == tasks.TASKSTATUS_SUCCEEDED || *task.Status == tasks.TASKSTATUS_FAILED
	}, waitFor, tick)
	return task
}

// v4 sends a request without a client library and returns the status and the decoded body.
func v4(t *testing.T, s *prismsim.Server, method, path, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	response, raw := request(t, s, method, "/api/"+path, body, func(r *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
	})
	var out map[string]any
	if raw != "" {
		require.NoError(t, json.Unmarshal([]byte(raw), &out), raw)
	}
	return response.StatusCode, out
}

// valueAt returns the value in a decoded body at a path of keys and list indexes.
func valueAt(t *testing.T, body any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch key := step.(type) {
		case string:
			object, isObject := body.(map[string]any)
			require.True(t, isObject, "%v in %v", key, body)
			body = object[key]
		case int:
			list, isList := body.([]any)
			require.True(t, isList && key < len(list), "%v in %v", key, body)
			body = list[key]
		}
	}
	return body
}

// addVM adds a VM without an API request.
func addVM(t *testing.T, s *prismsim.Server, change func(*prismsim.Fleet)) prismsim.VM {
	t.Helper()
	fleet := prismsim.Fleet{Count: 1, NamePrefix: "vm", PrismElement: "nutanix-cluster-1", Subnets: []string{"vm-network"}}
	if change != nil {
		change(&fleet)
	}
	vms, err := s.AddVMs(fleet)
	require.NoError(t, err)
	return vms[len(vms)-1]
}

// Tests check conditions every tick. If a condition is not met within waitFor, the test fails.
const (
	waitFor = time.Minute
	tick    = 5 * time.Millisecond
)
