package prismsim_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"
	netapi "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/api"
	netclient "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/client"
	commoncfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/common/v1/config"
	netcfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"
	netref "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/prism/v4/config"
	prismapi "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/api"
	prismclient "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/client"
	tasks "github.com/nutanix/ntnx-api-golang-clients/prism-go-client/v4/models/prism/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// networkFixture contains a server with VPCs and the vendor's SDK clients for the server.
type networkFixture struct {
	t      *testing.T
	server *prismsim.Server
	v3     v3.Service

	subnets      *netapi.SubnetsApi
	reservations *netapi.SubnetIPReservationApi
	vpcs         *netapi.VpcsApi
	sessions     *netapi.LoadBalancerSessionsApi
	floatingIPs  *netapi.FloatingIpsApi
	tables       *netapi.RouteTablesApi
	routes       *netapi.RoutesApi
	tasks        *prismapi.TasksApi
}

// startNetwork starts a server with the inventory testdata/vpc.yaml.
func startNetwork(t *testing.T, rules prismsim.NetworkRules, change ...func(*prismsim.Options)) *networkFixture {
	t.Helper()
	inventory, err := prismsim.LoadInventory("testdata/vpc.yaml")
	require.NoError(t, err)
	s := start(t, func(o *prismsim.Options) {
		o.Inventory, o.Network = inventory, rules
		for _, more := range change {
			more(o)
		}
	})
	host, text, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	n, p := netclient.NewApiClient(), prismclient.NewApiClient()
	n.Host, n.Port, n.Username, n.Password, n.VerifySSL, n.MaxRetryAttempts = host, port, testUser, testPassword, false, 0
	p.Host, p.Port, p.Username, p.Password, p.VerifySSL, p.MaxRetryAttempts = host, port, testUser, testPassword, false, 0
	return &networkFixture{
		t: t, server: s, v3: connect(t, s, nil),
		subnets: netapi.NewSubnetsApi(n), reservations: netapi.NewSubnetIPReservationApi(n), vpcs: netapi.NewVpcsApi(n),
		sessions: netapi.NewLoadBalancerSessionsApi(n), floatingIPs: netapi.NewFloatingIpsApi(n),
		tables: netapi.NewRouteTablesApi(n), routes: netapi.NewRoutesApi(n), tasks: prismapi.NewTasksApi(p),
	}
}

// on returns the same fixture for a subtest.
func (f *networkFixture) on(t *testing.T) *networkFixture {
	out := *f
	out.t = t
	return &out
}

// id returns the UUID of an entity of the inventory.
func (f *networkFixture) id(kind, name string) *string { return ptr(named(f.t, f.server, kind, name)) }

// vm creates a VM on a subnet and returns the UUIDs of the VM and its NIC.
func (f *networkFixture) vm(subnet string) (vmUUID, nicUUID string) {
	f.t.Helper()
	vm := create(f.t, f.v3, vmOnSubnet(f.t, f.server, subnet, ""))
	return *vm.Metadata.UUID, *vm.Status.Resources.NicList[0].UUID
}

// waitForTask waits until the task of a change ends, and returns the task.
func (f *networkFixture) waitForTask(response *netcfg.TaskReferenceApiResponse, err error) tasks.Task {
	f.t.Helper()
	require.NoError(f.t, err)
	reference, ok := response.GetData().(netref.TaskReference)
	require.True(f.t, ok, "%T", response.GetData())
	var out tasks.Task
	require.Eventually(f.t, func() bool {
		got, err := f.tasks.GetTaskById(reference.ExtId, nil)
		require.NoError(f.t, err)
		out, ok = got.GetData().(tasks.Task)
		require.True(f.t, ok, "%T", got.GetData())
		return *out.Status == tasks.TASKSTATUS_SUCCEEDED || *out.Status == tasks.TASKSTATUS_FAILED
	}, waitFor, tick)
	return out
}

// done waits until the task of a change ends, requires that the task succeeds, and returns the UUID of the changed
// entity.
func (f *networkFixture) done(response *netcfg.TaskReferenceApiResponse, err error) string {
	f.t.Helper()
	task := f.waitForTask(response, err)
	require.Equal(f.t, tasks.TASKSTATUS_SUCCEEDED, *task.Status, "%v", failure(task))
	require.Len(f.t, task.EntitiesAffected, 1)
	return *task.EntitiesAffected[0].ExtId
}

// fails waits until the task of a change ends. It requires that the task fails with the code and with a message that
// contains text.
func (f *networkFixture) fails(code, text string) func(*netcfg.TaskReferenceApiResponse, error) {
	return func(response *netcfg.TaskReferenceApiResponse, err error) {
		f.t.Helper()
		task := f.waitForTask(response, err)
		require.Equal(f.t, tasks.TASKSTATUS_FAILED, *task.Status)
		assert.Equal(f.t, code, *task.ErrorMessages[0].Code)
		assert.Equal(f.t, "BACKEND_SERVICE_ERROR", *task.ErrorMessages[0].ErrorGroup)
		assert.Contains(f.t, *task.ErrorMessages[0].Message, text)
		assert.Nil(f.t, task.CompletionDetails)
	}
}

func failure(task tasks.Task) string {
	if len(task.ErrorMessages) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s", *task.ErrorMessages[0].Code, *task.ErrorMessages[0].Message)
}

// Error codes. The first two are on public record. The simulation defines the others.
const (
	notFound  = "NETWORKING-10060"
	inUse     = "NETWORKING-10068"
	invalid   = "NETWORKING-19001"
	conflict  = "NETWORKING-19002"
	exhausted = "NETWORKING-19003"
)

// ipv4 returns an address in the format of SDK clients, with prefix length 32.
func ipv4(text string) *commoncfg.IPAddress {
	out := commoncfg.NewIPAddress()
	out.Ipv4 = commoncfg.NewIPv4Address()
	out.Ipv4.Value = &text
	return out
}
