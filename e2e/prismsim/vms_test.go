package prismsim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	prismgoclient "github.com/nutanix-cloud-native/prism-go-client"
	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

const (
	testUser     = "admin"
	testPassword = "Sim-Password/1"
)

// start starts a server with the sample inventory for one test.
func start(t *testing.T, change func(*prismsim.Options)) *prismsim.Server {
	t.Helper()
	inventory, err := prismsim.LoadInventory("testdata/inventory.yaml")
	require.NoError(t, err)
	opts := prismsim.Options{Inventory: inventory, Username: testUser, Password: testPassword}
	if change != nil {
		change(&opts)
	}
	s, err := prismsim.New(opts)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Start(context.Background()))
	return s
}

// connect returns a client of prism-go-client for a server.
func connect(t *testing.T, s *prismsim.Server, change func(*prismgoclient.Credentials)) v3.Service {
	t.Helper()
	credentials := prismgoclient.Credentials{
		URL: s.Address(), Endpoint: s.Address(), Username: testUser, Password: testPassword,
	}
	if change != nil {
		change(&credentials)
	}
	// By default all clients of a process share one transport, which would trust only the CA of the last server.
	client, err := v3.NewV3Client(credentials, v3.WithRoundTripper(transport(s)))
	require.NoError(t, err)
	return client.V3
}

func transport(s *prismsim.Server) *http.Transport {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CABundle())
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
}

// request sends a request without a client library and returns the status, headers and body of the response.
func request(t *testing.T, s *prismsim.Server, method, path, body string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth(testUser, testPassword)
	if change != nil {
		change(r)
	}
	response, err := (&http.Client{Transport: transport(s)}).Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(raw)
}

func ptr[T any](v T) *T { return &v }

func ref(kind, uuid string) *v3.Reference { return &v3.Reference{Kind: &kind, UUID: &uuid} }

// named returns the UUID of the inventory entity with the kind and the name.
func named(t *testing.T, s *prismsim.Server, kind, name string) string {
	t.Helper()
	uuid, err := s.UUID(kind, name)
	require.NoError(t, err)
	return uuid
}

// intent returns the body of a create request for a VM, in the format of the Terraform provider.
func intent(t *testing.T, s *prismsim.Server, name string) *v3.VMIntentInput {
	t.Helper()
	return &v3.VMIntentInput{
		Metadata: &v3.Metadata{Kind: ptr("vm")},
		Spec: &v3.VM{
			Name:             ptr(name),
			ClusterReference: ref("cluster", named(t, s, "cluster", "nutanix-cluster-1")),
			Resources: &v3.VMResources{
				NumSockets: ptr(int64(2)), NumVcpusPerSocket: ptr(int64(1)), MemorySizeMib: ptr(int64(4096)), PowerState: ptr("ON"),
				DiskList: []*v3.VMDisk{{
					DataSourceReference: ref("image", named(t, s, "image", "ubuntu-22.04-kube-v1.28.0")), DiskSizeMib: ptr(int64(40960)),
				}},
				NicList: []*v3.VMNic{{SubnetReference: ref("subnet", named(t, s, "subnet", "vm-network")), IsConnected: ptr(true)}},
			},
		},
	}
}

// wait polls a task until the task ends.
func wait(t *testing.T, client v3.Service, context *v3.ExecutionContext) *v3.TasksResponse {
	t.Helper()
	id, isText := context.TaskUUID.(string)
	require.True(t, isText, "task_uuid of a change is a string")
	var task *v3.TasksResponse
	require.Eventually(t, func() bool {
		var err error
		task, err = client.GetTask(t.Context(), id)
		require.NoError(t, err)
		return *task.Status == "SUCCEEDED" || *task.Status == "FAILED"
	}, waitFor, tick)
	return task
}

// create creates a VM and returns the response to a read of the VM.
func create(t *testing.T, client v3.Service, body *v3.VMIntentInput) *v3.VMIntentResponse {
	t.Helper()
	response, err := client.CreateVM(t.Context(), body)
	require.NoError(t, err)
	task := wait(t, client, response.Status.ExecutionContext)
	require.Equal(t, "SUCCEEDED", *task.Status, "%v", task.ErrorDetail)
	vm, err := client.GetVM(t.Context(), *response.Metadata.UUID)
	require.NoError(t, err)
	return vm
}

func TestCreateGetListDelete(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	vm := create(t, client, intent(t, s, "vm-1"))

	require.Equal(t, "COMPLETE", *vm.Status.State)
	require.Equal(t, "ON", *vm.Status.Resources.PowerState)
	require.Equal(t, "127.40.1.10", *vm.Spec.Resources.NicList[0].IPEndpointList[0].IP)
	require.Equal(t, "ASSIGNED", *vm.Spec.Resources.NicList[0].IPEndpointList[0].Type)
	require.Regexp(t, `^50:6b:8d:`, *vm.Spec.Resources.NicList[0].MacAddress)
	require.EqualValues(t, 40960*1024*1024, *vm.Spec.Resources.DiskList[0].DiskSizeBytes)

	listed, err := client.ListAllVM(t.Context(), "vm_name==vm-1")
	require.NoError(t, err)
	require.Len(t, listed.Entities, 1)

	gone, err := client.DeleteVM(t.Context(), *vm.Metadata.UUID)
	require.NoError(t, err)
	require.Equal(t, "SUCCEEDED", *wait(t, client, gone.Status.ExecutionContext).Status)
	_, err = client.GetVM(t.Context(), *vm.Metadata.UUID)
	require.ErrorContains(t, err, "ENTITY_NOT_FOUND")
	require.Empty(t, s.VMs())
}
