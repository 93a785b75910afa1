package prismsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	netcfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// sessionOn returns a TCP session on port 80 in the VPC "blue", with target port 30080. If vip is empty, the virtual IP
// is dynamic.
func (f *networkFixture) sessionOn(name, vip string, nics ...string) *netcfg.LoadBalancerSession {
	out := netcfg.NewLoadBalancerSession()
	out.Name, out.Description, out.VpcReference = &name, ptr("of a test"), f.id("vpc", "blue")
	out.HealthCheckConfig = netcfg.NewHealthCheck()
	out.Listener = netcfg.NewListener()
	out.Listener.Protocol = netcfg.PROTOCOL_TCP.Ref()
	out.Listener.PortRanges = ports(80, 80)
	out.Listener.VirtualIP = netcfg.NewVirtualIP()
	out.Listener.VirtualIP.SubnetReference = f.id("subnet", "blue-vips")
	out.Listener.VirtualIP.AssignmentType = netcfg.ASSIGNMENTTYPE_DYNAMIC.Ref()
	if vip != "" {
		out.Listener.VirtualIP.AssignmentType, out.Listener.VirtualIP.IpAddress = netcfg.ASSIGNMENTTYPE_STATIC.Ref(), ipv4(vip)
	}
	out.TargetsConfig = netcfg.NewTarget()
	for _, nic := range nics {
		target := netcfg.NewNicTarget()
		target.VirtualNicReference, target.Port = &nic, ptr(30080)
		out.TargetsConfig.NicTargets = append(out.TargetsConfig.NicTargets, *target)
	}
	return out
}

func ports(first, last int) []netcfg.PortRange {
	out := netcfg.NewPortRange()
	out.StartPort, out.EndPort = &first, &last
	return []netcfg.PortRange{*out}
}

// session reads a session. The SDK stores the ETag in the model and sends the ETag with an update.
func (f *networkFixture) session(id string) *netcfg.LoadBalancerSession {
	f.t.Helper()
	response, err := f.sessions.GetLoadBalancerSessionById(&id, nil)
	require.NoError(f.t, err)
	out, ok := response.GetData().(netcfg.LoadBalancerSession)
	require.True(f.t, ok, "%T", response.GetData())
	return &out
}

func TestLoadBalancerSessionLifecycle(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vmUUID, nic := f.vm("blue-nodes")
	id := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "", nic)))
	got := f.session(id)
	assert.Equal(t, "web", *got.Name)
	assert.Equal(t, "127.60.2.10", *got.Listener.VirtualIP.IpAddress.Ipv4.Value)
	assert.Equal(t, netcfg.ASSIGNMENTTYPE_DYNAMIC, *got.Listener.VirtualIP.AssignmentType)
	assert.Equal(t, netcfg.LOADBALANCERSESSIONTYPE_NETWORK_LOAD_BALANCER, *got.Type)
	assert.Equal(t, netcfg.ALGORITHM_FIVE_TUPLE_HASH, *got.Algorithm)
	assert.Equal(t, []int{5, 2, 3, 3}, []int{
		*got.HealthCheckConfig.IntervalSecs, *got.HealthCheckConfig.TimeoutSecs,
		*got.HealthCheckConfig.SuccessThreshold, *got.HealthCheckConfig.FailureThreshold,
	})
	target := got.TargetsConfig.NicTargets[0]
	assert.Equal(t, netcfg.TARGETHEALTH_HEALTHY, *target.Health)
	assert.Equal(t, vmUUID+" "+nic, *target.VmReference+" "+*target.VirtualNicReference)

	require.NoError(t, f.server.PowerOff(vmUUID))
	got = f.session(id)
	assert.Equal(t, netcfg.TARGETHEALTH_UNHEALTHY, *got.TargetsConfig.NicTargets[0].Health)
	got.Name, got.TargetsConfig.NicTargets = ptr("web-2"), nil
	got.Listener.PortRanges = ports(8080, 8090)
	assert.Equal(t, id, f.done(f.sessions.UpdateLoadBalancerSessionById(&id, got)))
	assert.Equal(t, []prismsim.LoadBalancerSession{{
		UUID: id, Name: "web-2", Description: "of a test", VPC: "blue", Subnet: "blue-vips", VirtualIP: "127.60.2.10",
		Protocol: "TCP", Ports: []string{"8080-8090"}, Targets: []prismsim.Target{},
	}}, f.server.LoadBalancerSessions())

	list, err := f.sessions.ListLoadBalancerSessions(nil, nil, ptr("startswith(name,'web')"), nil, nil)
	require.NoError(t, err)
	assert.Len(t, list.GetData(), 1)
	assert.Equal(t, id, f.done(f.sessions.DeleteLoadBalancerSessionById(&id)))
	assert.Empty(t, f.server.LoadBalancerSessions())
	f.done(f.reservations.ReserveIpsBySubnetId(f.id("subnet", "blue-vips"), reserveList("c", "127.60.2.10")))
}

func TestVirtualIPMustBeFreeOrReserved(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vips := f.id("subnet", "blue-vips")
	f.done(f.reservations.ReserveIpsBySubnetId(vips, reserveList("cluster/uid", "127.60.2.11")))
	web := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("reserved", "127.60.2.11")))
	outside := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("outside of the pools", "127.60.2.99")))
	first := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("dynamic", "")))
	assert.Equal(t, "127.60.2.10", *f.session(first).Listener.VirtualIP.IpAddress.Ipv4.Value)
	f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("dynamic", "")))
	f.fails(exhausted, "No free IP addresses")(f.sessions.CreateLoadBalancerSession(f.sessionOn("dynamic", "")))

	f.fails(conflict, "127.60.2.10 is already in use")(f.reservations.ReserveIpsBySubnetId(vips, reserveList("c", "127.60.2.10")))
	onNodes := f.sessionOn("on the subnet of the nodes", "127.60.1.10")
	onNodes.Listener.VirtualIP.SubnetReference = f.id("subnet", "blue-nodes")
	f.vm("blue-nodes") // the VM gets address .10
	f.fails(conflict, "127.60.1.10 is already in use")(f.sessions.CreateLoadBalancerSession(onNodes))
	onNodes.Listener.VirtualIP.IpAddress = ipv4("127.60.1.11")
	f.done(f.sessions.CreateLoadBalancerSession(onNodes))

	moved := f.session(outside)
	moved.Listener.VirtualIP.IpAddress = ipv4("127.60.2.98")
	f.done(f.sessions.UpdateLoadBalancerSessionById(&outside, moved))
	f.done(f.reservations.ReserveIpsBySubnetId(vips, reserveList("c", "127.60.2.99")))
	moved = f.session(outside)
	moved.Listener.VirtualIP.AssignmentType, moved.Listener.VirtualIP.IpAddress = netcfg.ASSIGNMENTTYPE_DYNAMIC.Ref(), nil
	f.done(f.sessions.UpdateLoadBalancerSessionById(&outside, moved))
	assert.Equal(t, "127.60.2.98", *f.session(outside).Listener.VirtualIP.IpAddress.Ipv4.Value, "it stays")

	f.done(f.sessions.DeleteLoadBalancerSessionById(&web))
	assert.Contains(t, f.server.ReservedIPs("blue-vips"), prismsim.ReservedIP{Subnet: "blue-vips", Address: "127.60.2.11", ClientContext: "cluster/uid"})
}

func TestSessionsShareVirtualIP(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	tcp80 := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("tcp-80", "127.60.2.11")))
	udp := f.sessionOn("udp-80", "127.60.2.11")
	udp.Listener.Protocol = netcfg.PROTOCOL_UDP.Ref()
	f.done(f.sessions.CreateLoadBalancerSession(udp))
	other := f.sessionOn("tcp-443", "127.60.2.11")
	other.Listener.PortRanges = ports(443, 443)
	tcp443 := f.done(f.sessions.CreateLoadBalancerSession(other))
	other.Listener.PortRanges = ports(70, 90)
	f.fails(conflict, "Virtual IP 127.60.2.11 with protocol TCP and port 70-90 is already in use by load balancer session "+tcp80)(
		f.sessions.CreateLoadBalancerSession(other))
	clash := f.session(tcp443)
	clash.Listener.PortRanges = ports(80, 80)
	f.fails(conflict, "is already in use")(f.sessions.UpdateLoadBalancerSessionById(&tcp443, clash))
	assert.Equal(t, 443, *f.session(tcp443).Listener.PortRanges[0].StartPort)

	f.done(f.sessions.DeleteLoadBalancerSessionById(&tcp80))
	f.fails(conflict, "is already in use")(f.reservations.ReserveIpsBySubnetId(f.id("subnet", "blue-vips"), reserveList("c", "127.60.2.11")))

	f.server.SetNetworkRules(prismsim.NetworkRules{ExclusiveVIP: true})
	f.fails(conflict, "Virtual IP 127.60.2.11 is already in use by load balancer session")(
		f.sessions.CreateLoadBalancerSession(f.sessionOn("tcp-80", "127.60.2.11")))
	f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("tcp-80", "127.60.2.12")))
	assert.Len(t, f.server.LoadBalancerSessions(), 3)
}

func TestSessionReferencesMustExist(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{MaxLoadBalancerSessions: 1})
	_, foreign := f.vm("green-nodes")
	_, vlan := f.vm("vlan")
	tests := map[string]struct {
		code, text string
		change     func(*netcfg.LoadBalancerSession)
	}{
		"VPC":         {notFound, "VPC " + unknown + " not found", func(s *netcfg.LoadBalancerSession) { s.VpcReference = ptr(unknown) }},
		"subnet":      {notFound, "Subnet " + unknown + " not found", func(s *netcfg.LoadBalancerSession) { s.Listener.VirtualIP.SubnetReference = ptr(unknown) }},
		"other VPC":   {invalid, "is not an overlay subnet of VPC", func(s *netcfg.LoadBalancerSession) { s.VpcReference = f.id("vpc", "green") }},
		"VLAN":        {invalid, "is not an overlay subnet of VPC", func(s *netcfg.LoadBalancerSession) { s.Listener.VirtualIP.SubnetReference = f.id("subnet", "vlan") }},
		"prefix":      {invalid, "127.60.2.11/24 is malformed", func(s *netcfg.LoadBalancerSession) { s.Listener.VirtualIP.IpAddress.Ipv4.PrefixLength = ptr(24) }},
		"zero prefix": {invalid, "127.60.2.11/0 is malformed", func(s *netcfg.LoadBalancerSession) { s.Listener.VirtualIP.IpAddress.Ipv4.PrefixLength = ptr(0) }},
		"outside":     {invalid, "is not a usable address", func(s *netcfg.LoadBalancerSession) { s.Listener.VirtualIP.IpAddress = ipv4("127.60.3.1") }},
		"gateway":     {invalid, "is not a usable address", func(s *netcfg.LoadBalancerSession) { s.Listener.VirtualIP.IpAddress = ipv4("127.60.2.1") }},
		"NIC":         {notFound, "Virtual NIC " + unknown + " not found", func(s *netcfg.LoadBalancerSession) { s.TargetsConfig.NicTargets[0].VirtualNicReference = ptr(unknown) }},
		"foreign NIC": {invalid, "is not on an overlay subnet of VPC", func(s *netcfg.LoadBalancerSession) { s.TargetsConfig.NicTargets[0].VirtualNicReference = &foreign }},
		"NIC of VLAN": {invalid, "is not on an overlay subnet of VPC", func(s *netcfg.LoadBalancerSession) { s.TargetsConfig.NicTargets[0].VirtualNicReference = &vlan }},
		"NIC repeated": {invalid, "appears more than once", func(s *netcfg.LoadBalancerSession) {
			s.TargetsConfig.NicTargets = append(s.TargetsConfig.NicTargets, s.TargetsConfig.NicTargets[0])
		}},
	}
	_, nic := f.vm("blue-nodes")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := f.on(t)
			body := f.sessionOn("web", "127.60.2.11", nic)
			test.change(body)
			f.fails(test.code, "Failed to Create Load Balancer Session ")(f.sessions.CreateLoadBalancerSession(body))
			f.fails(test.code, test.text)(f.sessions.CreateLoadBalancerSession(body))
		})
	}
	assert.Empty(t, f.server.LoadBalancerSessions())

	id := f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "127.60.2.11", nic)))
	f.fails(exhausted, "The maximum number of load balancer sessions (1) is reached")(
		f.sessions.CreateLoadBalancerSession(f.sessionOn("web-2", "127.60.2.12")))
	moved := f.session(id)
	moved.Listener.VirtualIP.SubnetReference = f.id("subnet", "blue-nodes")
	moved.Listener.VirtualIP.IpAddress = ipv4("127.60.1.15")
	f.fails(invalid, "cannot be changed")(f.sessions.UpdateLoadBalancerSessionById(&id, moved))
}

func TestSessionRequestsAreChecked(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	const path = "/api/networking/v4.2/config/load-balancer-sessions"
	valid := `{"name":"web","description":"","vpcReference":"` + *f.id("vpc", "blue") + `","healthCheckConfig":{},"targetsConfig":{},
		"listener":{"protocol":"TCP","portRanges":[{"startPort":80,"endPort":80}],"virtualIP":{"assignmentType":"DYNAMIC","subnetReference":"` + *f.id("subnet", "blue-vips") + `"}}}`
	tests := map[string]struct{ old, replacement, want string }{
		"nothing":        {valid, `{}`, `ERROR - Object has missing required properties ([\"description\",\"healthCheckConfig\",\"listener\",\"name\",\"targetsConfig\",\"vpcReference\"]): []`},
		"no name":        {`"name":"web",`, ``, `([\"name\"])`},
		"protocol":       {`"TCP"`, `"SCTP"`, "@body.listener.protocol"},
		"port 0":         {`"startPort":80`, `"startPort":0`, "is not a range of ports"},
		"ports reversed": {`"endPort":80`, `"endPort":79`, "is not a range of ports"},
		"no ports":       {`[{"startPort":80,"endPort":80}]`, `[]`, "portRanges"},
		"static":         {`"DYNAMIC"`, `"STATIC"`, `([\"ipAddress\"])`},
		"assignment":     {`"DYNAMIC"`, `"BOTH"`, "assignmentType"},
		"target":         {`"targetsConfig":{}`, `"targetsConfig":{"nicTargets":[{"port":80}]}`, "virtualNicReference"},
		"health check":   {`"healthCheckConfig":{}`, `"healthCheckConfig":{"intervalSecs":0}`, "must be 1 or more"},
		"algorithm":      {`"name":"web"`, `"name":"web","algorithm":"RANDOM"`, "@body.algorithm"},
		"type":           {`"name":"web"`, `"name":"web","type":"PROXY"`, "@body.type"},
		"by category":    {`"targetsConfig":{}`, `"targetsConfig":{"categoryTargets":[{"port":80,"matchAll":[]}]}`, "not part of this simulation"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, valid, test.old)
			response, body := request(t, f.server, http.MethodPost, path, strings.Replace(valid, test.old, test.replacement, 1), nil)
			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
			assert.Contains(t, body, test.want)
		})
	}
	assert.Empty(t, f.server.Tasks())
	response, _ := request(t, f.server, http.MethodPost, path, valid, nil)
	assert.Equal(t, http.StatusAccepted, response.StatusCode)
}
