package nutanix_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/nutanix"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/prismsim/prismtest"
)

const inventory = `
prismElements:
- name: pe-1
  hosts: [{name: host-1}, {name: host-2}]
  categories: {zone: [z1]}
categories:
- key: KubernetesClusterName
  values: [k, "it's"]
vpcs:
- name: vpc
  externalSubnets: [outside]
subnets:
- {name: overlay, type: OVERLAY, vpc: vpc, cidr: 10.1.0.0/16, ipam: true, pools: [10.1.0.10-10.1.255.200]}
- {name: outside, prismElement: pe-1, external: true, cidr: 198.51.100.0/24, ipam: true, pools: [198.51.100.10-198.51.100.99]}
- {name: vlan, prismElement: pe-1, cidr: 192.0.2.0/29, ipam: true, pools: [192.0.2.2-192.0.2.4]}
`

// simulated is a simulated Prism Central and a client of it.
type simulated struct {
	*prismsim.Server
	client *nutanix.Client
}

func simulate(t testing.TB, version string) simulated {
	t.Helper()
	server, client := prismtest.Start(t, "prismCentral: {apiVersion: "+version+"}"+inventory, prismsim.Options{
		Username: testUser, Password: testPassword, APIKey: testKey, Latency: prismsim.Latencies{Network: 20 * time.Millisecond},
	}, nutanix.Limits{Timeout: time.Minute, TaskTimeout: time.Minute})
	return simulated{server, client}
}

func (s simulated) fault(t *testing.T, fault prismsim.Fault) {
	t.Helper()
	_, err := s.Faults().Set(fault)
	require.NoError(t, err)
}

// nodes makes VMs in the VPC and gives the UUIDs of their NICs.
func (s simulated) nodes(t testing.TB, count int) []nutanix.VM {
	t.Helper()
	_, err := s.AddVMs(prismsim.Fleet{
		Count: count, NamePrefix: fmt.Sprintf("node-%d", len(s.VMs())), PrismElement: "pe-1", Subnets: []string{"overlay"},
		Categories: map[string]string{"KubernetesClusterName": "k"}, Sockets: 2,
	})
	require.NoError(t, err)
	all, err := s.client.ListVMs(t.Context(), filterNone)
	require.NoError(t, err)
	return all
}

// subnet gives the subnet and the VPC it is in.
func (s simulated) subnet(t *testing.T, name string) nutanix.Subnet {
	t.Helper()
	found, err := s.client.ListSubnets(t.Context(), name)
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// TestInventory proves that what the simulated Prism Central has is read as it is, with every version of the API.
func TestInventory(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v4.0", "v4.1", "v4.2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, version)
			all := s.nodes(t, 250)
			require.Len(t, all, 250)
			one := all[7]
			assert.Equal(t, nutanix.PowerOn, one.PowerState)
			assert.Equal(t, 2, one.Sockets)
			require.Len(t, one.NICs, 1)
			overlay := s.subnet(t, "overlay")
			assert.Equal(t, netip.MustParsePrefix("10.1.0.0/16"), overlay.Prefix)
			assert.True(t, overlay.Prefix.Contains(one.NICs[0].Primary))
			assert.Equal(t, overlay.UUID, one.NICs[0].SubnetUUID)

			again, err := s.client.VM(t.Context(), one.UUID)
			require.NoError(t, err)
			assert.Equal(t, one, again)
			categories, err := s.client.ListCategories(t.Context(), "KubernetesClusterName")
			require.NoError(t, err)
			at := slices.IndexFunc(categories, func(c nutanix.Category) bool { return c.Value == "k" })
			require.GreaterOrEqual(t, at, 0)
			for _, filter := range []nutanix.VMFilter{{Name: one.Name}, {BIOSUUID: one.BIOSUUID}, {Name: one.Name, CategoryUUID: categories[at].UUID}} {
				found, err := s.client.ListVMs(t.Context(), filter)
				require.NoError(t, err)
				assert.Equal(t, []nutanix.VM{one}, found, "%+v", filter)
			}
			ofCluster, err := s.client.ListVMs(t.Context(), nutanix.VMFilter{CategoryUUID: categories[at].UUID})
			require.NoError(t, err)
			assert.Len(t, ofCluster, 250)

			elements, err := s.client.ListPrismElements(t.Context())
			require.NoError(t, err)
			require.Len(t, elements, 2)
			assert.NotEqual(t, elements[0].IsPrismCentral, elements[1].IsPrismCentral)
			hosts, err := s.client.ListHosts(t.Context())
			require.NoError(t, err)
			assert.True(t, slices.ContainsFunc(hosts, func(h nutanix.Host) bool { return h.UUID == one.HostUUID && h.PrismElementUUID == one.PrismElementUUID }))
			outside := s.subnet(t, "outside")
			assert.True(t, outside.IsExternal && outside.IsNAT)
		})
	}
}

// TestOnlyPrismCentralItselfSaysNotFound proves what keeps Nodes alive.
func TestOnlyPrismCentralItselfSaysNotFound(t *testing.T) {
	t.Parallel()
	s := simulate(t, "v4.2")
	one := s.nodes(t, 1)[0]
	_, err := s.client.VM(t.Context(), vmUUID)
	assert.Equal(t, nutanix.NotFound, nutanix.KindOf(err), "%v", err)
	_, err = s.client.VM(t.Context(), "no-uuid")
	assert.NotEqual(t, nutanix.NotFound, nutanix.KindOf(err), "%v", err)
	for _, fault := range []prismsim.Fault{
		{Status: 404, Body: "<html>", ContentType: "text/html"}, {Status: 404, Body: `{}`}, {Status: 404, Body: ``},
		{Status: 503}, {Drop: true}, {Cut: true},
	} {
		// A connection that breaks while it is idle is tried once more below us, so that there may be twice as many requests.
		fault.ID, fault.Path, fault.Times = "only", "/ahv/config/vms", 6
		s.fault(t, fault)
		_, err := s.client.VM(t.Context(), one.UUID)
		assert.Equal(t, nutanix.Unavailable, nutanix.KindOf(err), "%+v: %v", fault, err)
		s.Faults().Clear("only")
	}
	s.nodes(t, 3)
	s.fault(t, prismsim.Fault{Path: "/ahv/config/vms", Half: true, Times: 2})
	_, err = s.client.ListVMs(t.Context(), filterNone)
	assert.Equal(t, nutanix.Unavailable, nutanix.KindOf(err), "%v", err)
	all, err := s.client.ListVMs(t.Context(), filterNone)
	require.NoError(t, err)
	assert.Len(t, all, 4)
}

// TestAddresses reserves and frees addresses, also ones that are taken or free already.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := simulate(t, "v4.2")
	subnet := s.subnet(t, "vlan").UUID
	ctx := t.Context()
	taken := netip.MustParseAddr("192.0.2.3")
	got, err := s.client.ReserveIP(ctx, subnet, taken, "k/one")
	require.NoError(t, err)
	assert.Equal(t, taken, got)
	_, err = s.client.ReserveIP(ctx, subnet, taken, "k/two")
	assert.Equal(t, nutanix.Conflict, nutanix.KindOf(err), "%v", err)
	var free []netip.Addr
	for {
		address, err := s.client.ReserveIP(ctx, subnet, netip.Addr{}, "k/any")
		if err != nil {
			assert.Equal(t, nutanix.Exhausted, nutanix.KindOf(err), "%v", err)
			break
		}
		free = append(free, address)
		require.Less(t, len(free), 10)
	}
	require.NotEmpty(t, free)
	reserved, err := s.client.ListReservedIPs(ctx, subnet)
	require.NoError(t, err)
	assert.Len(t, reserved, len(free)+1)
	assert.Contains(t, reserved, nutanix.ReservedIP{Address: taken, ClientContext: "k/one"})

	require.NoError(t, s.client.UnreserveIPs(ctx, subnet, taken))
	require.NoError(t, s.client.UnreserveIPs(ctx, subnet, taken), "nothing is left to do")
	require.NoError(t, s.client.UnreserveIPs(ctx, subnet, append(free, taken)...), "one of them was free")
	assert.Empty(t, s.ReservedIPs("vlan"))

	_, err = s.client.ReserveIP(ctx, vpcUUID, netip.Addr{}, "k/none")
	assert.Equal(t, nutanix.NotFound, nutanix.KindOf(err), "%v", err)
	assert.Equal(t, nutanix.NotFound, nutanix.KindOf(s.client.UnreserveIPs(ctx, vpcUUID, taken)))
}

// session gives a session on a port of a VIP for a VM.
func (s simulated) session(t *testing.T, port int, vm nutanix.VM) nutanix.LoadBalancerSession {
	t.Helper()
	subnet := s.subnet(t, "overlay")
	return nutanix.LoadBalancerSession{
		Name: fmt.Sprintf("k-svc-tcp-%d", port), Description: "default/web", VPCUUID: subnet.VPCUUID, Protocol: nutanix.TCP, Port: port,
		SubnetUUID: subnet.UUID, VirtualIP: netip.MustParseAddr("10.1.0.9"),
		HealthCheck: nutanix.HealthCheck{IntervalSeconds: 10, TimeoutSeconds: 5, SuccessThreshold: 3, FailureThreshold: 4},
		Targets:     []nutanix.Target{{NICUUID: vm.NICs[0].UUID, Port: 30080}},
	}
}

// TestALoadBalancer makes, changes and removes sessions and a floating IP as a backend does.
func TestALoadBalancer(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v4.0", "v4.2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, version)
			vms := s.nodes(t, 2)
			ctx := t.Context()
			want := s.session(t, 80, vms[0])
			made, err := s.client.CreateLoadBalancerSession(ctx, want)
			require.NoError(t, err)
			assert.NotEmpty(t, made.UUID)
			assert.NotEmpty(t, made.ETag)
			assert.Equal(t, want.VirtualIP, made.VirtualIP)
			_, err = s.client.CreateLoadBalancerSession(ctx, want)
			assert.Equal(t, nutanix.Conflict, nutanix.KindOf(err), "%v", err)

			made.Targets = append(made.Targets, nutanix.Target{NICUUID: vms[1].NICs[0].UUID, Port: 30080})
			require.NoError(t, s.client.UpdateLoadBalancerSession(ctx, made))
			err = s.client.UpdateLoadBalancerSession(ctx, made)
			assert.Equal(t, nutanix.Stale, nutanix.KindOf(err), "%v", err)
			assert.Equal(t, nutanix.Stale, nutanix.KindOf(s.client.DeleteLoadBalancerSession(ctx, made)))
			listed, err := s.client.ListLoadBalancerSessions(ctx, "k-svc-")
			require.NoError(t, err)
			require.Len(t, listed, 1)
			assert.Len(t, listed[0].Targets, 2)
			none, err := s.client.ListLoadBalancerSessions(ctx, "other-")
			require.NoError(t, err)
			assert.Empty(t, none)

			ip, err := s.client.CreateFloatingIP(ctx, nutanix.FloatingIP{
				Name: "k-svc", ExternalSubnetUUID: s.subnet(t, "outside").UUID, LoadBalancerSessionUUID: made.UUID, VPCUUID: made.VPCUUID,
			})
			require.NoError(t, err)
			assert.True(t, ip.Address.IsValid())
			assert.Equal(t, made.UUID, ip.LoadBalancerSessionUUID)
			err = s.client.DeleteLoadBalancerSession(ctx, listed[0])
			assert.Equal(t, nutanix.Conflict, nutanix.KindOf(err), "%v", err)
			ip.LoadBalancerSessionUUID, ip.PrivateIP = "", netip.Addr{}
			require.NoError(t, s.client.UpdateFloatingIP(ctx, ip))
			ips, err := s.client.ListFloatingIPs(ctx, "k-")
			require.NoError(t, err)
			require.Len(t, ips, 1)
			assert.Empty(t, ips[0].LoadBalancerSessionUUID)
			ips[0].PrivateIP, ips[0].VPCUUID = netip.MustParseAddr("10.1.0.9"), made.VPCUUID
			require.NoError(t, s.client.UpdateFloatingIP(ctx, ips[0]))
			ips[0].ETag = ""
			require.NoError(t, s.client.DeleteFloatingIP(ctx, ips[0]))
			assert.Equal(t, nutanix.NotFound, nutanix.KindOf(s.client.DeleteFloatingIP(ctx, ips[0])))

			listed[0].ETag = ""
			require.NoError(t, s.client.DeleteLoadBalancerSession(ctx, listed[0]))
			err = s.client.DeleteLoadBalancerSession(ctx, made)
			assert.Equal(t, nutanix.NotFound, nutanix.KindOf(err), "%v", err)
			assert.Empty(t, s.LoadBalancerSessions())
			assert.Empty(t, s.FloatingIPs())
		})
	}
}

func TestRoutesOfAVPC(t *testing.T) {
	t.Parallel()
	s := simulate(t, "v4.2")
	vm := s.nodes(t, 1)[0]
	ctx := t.Context()
	vpcs, err := s.client.ListVPCs(ctx, "vpc")
	require.NoError(t, err)
	require.Len(t, vpcs, 1)
	table, err := s.client.RouteTableOfVPC(ctx, vpcs[0].UUID)
	require.NoError(t, err)
	made, err := s.client.CreateRoute(ctx, nutanix.Route{
		Name: "k-node", RouteTableUUID: table, Destination: netip.MustParsePrefix("10.244.1.0/24"), NextHop: vm.NICs[0].Primary,
	})
	require.NoError(t, err)
	assert.True(t, made.IsStatic)
	assert.Equal(t, vm.NICs[0].Primary, made.NextHop)
	_, err = s.client.CreateRoute(ctx, made)
	assert.Equal(t, nutanix.Conflict, nutanix.KindOf(err), "%v", err)
	made.Description = "changed"
	require.NoError(t, s.client.UpdateRoute(ctx, made))
	routes, err := s.client.ListRoutes(ctx, table)
	require.NoError(t, err)
	at := slices.IndexFunc(routes, func(r nutanix.Route) bool { return r.UUID == made.UUID })
	require.GreaterOrEqual(t, at, 0)
	assert.Equal(t, "changed", routes[at].Description)
	require.NoError(t, s.client.DeleteRoute(ctx, routes[at]))
	assert.Empty(t, s.Routes())
}

// TestLostRepliesMakeNothingTwice lets the reply of every change get lost once: there is one object of each, and none in
// the end.
func TestLostRepliesMakeNothingTwice(t *testing.T) {
	t.Parallel()
	s := simulate(t, "v4.2")
	vm := s.nodes(t, 1)[0]
	ctx := t.Context()
	lose := func(method string) {
		s.fault(t, prismsim.Fault{Method: method, Path: "/api/networking/", DropReply: true, Times: 1})
	}
	lose("POST")
	address, err := s.client.ReserveIP(ctx, s.subnet(t, "overlay").UUID, netip.MustParseAddr("10.1.0.9"), "k/svc")
	require.NoError(t, err)
	assert.Len(t, s.ReservedIPs("overlay"), 1)
	lose("POST")
	made, err := s.client.CreateLoadBalancerSession(ctx, s.session(t, 80, vm))
	require.NoError(t, err)
	assert.Len(t, s.LoadBalancerSessions(), 1)
	lose("POST")
	ip, err := s.client.CreateFloatingIP(ctx, nutanix.FloatingIP{Name: "k-svc", ExternalSubnetUUID: s.subnet(t, "outside").UUID})
	require.NoError(t, err)
	assert.Len(t, s.FloatingIPs(), 1)
	lose("PUT")
	require.NoError(t, s.client.UpdateLoadBalancerSession(ctx, made))
	lose("DELETE")
	require.NoError(t, s.client.DeleteFloatingIP(ctx, ip))
	lose("DELETE")
	made.ETag = ""
	require.NoError(t, s.client.DeleteLoadBalancerSession(ctx, made))
	lose("POST")
	require.NoError(t, s.client.UnreserveIPs(ctx, s.subnet(t, "overlay").UUID, address))
	assert.Empty(t, s.ReservedIPs(""))
	assert.Empty(t, s.LoadBalancerSessions())
	assert.Empty(t, s.FloatingIPs())
}

// TestManyAtOnce lets many use one client: nothing is lost, mixed up or made twice.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := simulate(t, "v4.2")
	vm := s.nodes(t, 1)[0]
	cache := nutanix.NewCache(s.client, lasting(50*time.Millisecond))
	var all sync.WaitGroup
	for i := range 12 {
		want := s.session(t, 8000+i, vm)
		all.Go(func() {
			ctx := t.Context()
			made, err := s.client.CreateLoadBalancerSession(ctx, want)
			if !assert.NoError(t, err) {
				return
			}
			assert.Equal(t, want.Name, made.Name)
			made.Description = "changed"
			assert.NoError(t, s.client.UpdateLoadBalancerSession(ctx, made))
			_, found, err := cache.VM(ctx, vm.UUID, "")
			assert.NoError(t, err)
			assert.True(t, found)
			made.ETag = ""
			assert.NoError(t, s.client.DeleteLoadBalancerSession(ctx, made))
		})
	}
	all.Wait()
	assert.Empty(t, s.LoadBalancerSessions())
}

// TestTwoWantOneAddress proves that one of them gets it and the other is told why not.
func TestTwoWantOneAddress(t *testing.T) {
	t.Parallel()
	s := simulate(t, "v4.2")
	subnet, address := s.subnet(t, "overlay").UUID, netip.MustParseAddr("10.1.0.77")
	kinds := make([]nutanix.Kind, 8)
	var all sync.WaitGroup
	for i := range kinds {
		all.Go(func() {
			_, err := s.client.ReserveIP(t.Context(), subnet, address, fmt.Sprintf("k/%d", i))
			kinds[i] = nutanix.KindOf(err)
		})
	}
	all.Wait()
	slices.Sort(kinds)
	assert.Equal(t, nutanix.Kind(""), kinds[0])
	for _, kind := range kinds[1:] {
		assert.Equal(t, nutanix.Conflict, kind)
	}
}
