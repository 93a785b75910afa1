package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	netcfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestSessionUpdateRequiresETag(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	id := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "")))
	stale, current := f.session(id), f.session(id)
	f.done(f.sessions.UpdateLoadBalancerSessionById(&id, current))
	_, err := f.sessions.UpdateLoadBalancerSessionById(&id, stale)
	require.ErrorContains(t, err, "it doesn't match the current value in the server")
	_, err = f.sessions.UpdateLoadBalancerSessionById(&id, f.sessionOn("no ETag", ""))
	require.ErrorContains(t, err, "If-Match header is required")
	match := func(s *netcfg.LoadBalancerSession) map[string]any {
		return map[string]any{"If-Match": ptr(f.sessions.ApiClient.GetEtag(s))}
	}
	_, err = f.sessions.DeleteLoadBalancerSessionById(&id, match(stale))
	require.ErrorContains(t, err, "it doesn't match the current value in the server")

	f.server.SetNetworkRules(prismsim.NetworkRules{OptionalIfMatch: true})
	f.done(f.sessions.UpdateLoadBalancerSessionById(&id, f.sessionOn("no ETag", "")))
	f.done(f.sessions.DeleteLoadBalancerSessionById(&id, match(f.session(id))))
	_, err = f.sessions.GetLoadBalancerSessionById(&id, nil)
	require.ErrorContains(t, err, "NETWORKING-10060")
	_, err = f.sessions.DeleteLoadBalancerSessionById(&id)
	require.ErrorContains(t, err, "Load Balancer Session "+id+" not found")
}

func TestRulesOfSessions(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{UniqueNames: true, AnyTarget: true, HiddenVIP: true})
	id := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "", unknown)))
	assert.Nil(t, f.session(id).Listener.VirtualIP.IpAddress)
	assert.Equal(t, netcfg.TARGETHEALTH_UNHEALTHY, *f.session(id).TargetsConfig.NicTargets[0].Health)
	f.fails(conflict, "Load balancer session with name web already exists")(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "")))

	response, _ := request(t, f.server, http.MethodPut, "/sim/network-rules", `{"exclusiveVIP":true}`, nil)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, prismsim.NetworkRules{ExclusiveVIP: true}, f.server.NetworkRules())
	response, body := request(t, f.server, http.MethodPut, "/sim/network-rules", `{"exclusive":true}`, nil)
	assert.Equal(t, http.StatusBadRequest, response.StatusCode, body)
	_, body = request(t, f.server, http.MethodGet, "/sim/network-rules", "", nil)
	assert.JSONEq(t, `{"exclusiveVIP":true}`, body)
	f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "")))
}

func TestTargetOfDeletedVMIsUnhealthy(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vmUUID, nic := f.vm("blue-nodes")
	id := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "", nic)))
	require.NoError(t, f.server.DeleteVM(vmUUID))
	got := f.session(id)
	assert.Equal(t, netcfg.TARGETHEALTH_UNHEALTHY, *got.TargetsConfig.NicTargets[0].Health)
	assert.Nil(t, got.TargetsConfig.NicTargets[0].VmReference)
	f.fails(notFound, "Virtual NIC "+nic+" not found")(f.sessions.UpdateLoadBalancerSessionById(&id, got))
	got.TargetsConfig.NicTargets = nil
	f.done(f.sessions.UpdateLoadBalancerSessionById(&id, got))
}

func TestNetworkControlChangesEntities(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	id, err := f.server.AddLoadBalancerSession(prismsim.LoadBalancerSession{
		Name: "stranger", VPC: "blue", Subnet: "blue-vips", Static: true, VirtualIP: "127.60.2.11", Protocol: "UDP", Ports: []string{"53", "60-61"},
	})
	require.NoError(t, err)
	assert.Equal(t, netcfg.PROTOCOL_UDP, *f.session(id).Listener.Protocol)
	before := f.session(id)
	require.NoError(t, f.server.SetLoadBalancerTargets(id, prismsim.Target{NIC: unknown, Port: 1}))
	_, err = f.sessions.UpdateLoadBalancerSessionById(&id, before)
	require.ErrorContains(t, err, "it doesn't match the current value")
	require.NoError(t, f.server.ReserveIP("blue-vips", "127.60.2.12", "stranger"))
	require.ErrorContains(t, f.server.ReserveIP("blue-vips", "127.60.2.11", "stranger"), "already in use")
	assert.Equal(t, []prismsim.ReservedIP{{Subnet: "blue-vips", Address: "127.60.2.12", ClientContext: "stranger"}}, f.server.ReservedIPs(""))
	require.NoError(t, f.server.UnreserveIP("blue-vips", "127.60.2.12"))
	require.Error(t, f.server.UnreserveIP("blue-vips", "127.60.2.12"))
	require.NoError(t, f.server.DeleteLoadBalancerSession(id))
	require.Error(t, f.server.DeleteLoadBalancerSession(id))
	assert.Empty(t, f.server.LoadBalancerSessions())
	assert.Empty(t, f.server.ReservedIPs(""))
}

func TestSessionTasksRunInOrder(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	id := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "")))
	// The server accepts all changes before it processes the first one.
	resume := f.server.HoldLoadBalancerSession(id)
	update, err := f.sessions.UpdateLoadBalancerSessionById(&id, f.session(id))
	require.NoError(t, err)
	deletion, err := f.sessions.DeleteLoadBalancerSessionById(&id)
	require.NoError(t, err)
	again, err := f.sessions.DeleteLoadBalancerSessionById(&id)
	require.NoError(t, err)
	resume()
	f.done(update, nil)
	f.done(deletion, nil)
	f.fails(notFound, "Load balancer session "+id+" not found")(again, nil)
}

func TestSessionRemains_AfterTaskFailsAfterItsWork(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	for _, afterWork := range []bool{false, true} {
		_, err := f.server.Faults().Set(prismsim.Fault{Method: http.MethodPost, Path: "load-balancer-sessions", Times: 1, TaskError: "no luck", AfterWork: afterWork})
		require.NoError(t, err)
		task := f.waitForTask(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "")))
		assert.Equal(t, "no luck", *task.ErrorMessages[0].Message)
		assert.Equal(t, afterWork, len(f.server.LoadBalancerSessions()) == 1)
	}
}
