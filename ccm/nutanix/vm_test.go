package nutanix_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/ccm/nutanix"
)

func addresses(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// TestVMs proves what becomes of the answers of old and new Prism Centrals, of everything that may be missing, and of what
// is not known.
func TestVMs(t *testing.T) {
	t.Parallel()
	const network = `"subnet":{"extId":"` + `S1"},"ipv4Config":{"ipAddress":{"value":"10.0.0.5"},"secondaryIpAddressList":[{"value":"10.0.0.6"},{"value":"x"},{}]},` +
		`"ipv4Info":{"learnedIpAddresses":[{"value":"10.0.0.5"},{"value":"10.0.0.100"}]}`
	const v6 = `,"ipv6Info":{"learnedIpv6Addresses":[{"value":"fd00::5"}]}`
	old := nutanix.NIC{
		UUID: "n1", SubnetUUID: "s1", Primary: netip.MustParseAddr("10.0.0.5"), Secondary: addresses("10.0.0.6"), Learned: addresses("10.0.0.5", "10.0.0.100"),
	}
	dual := old
	dual.Learned = addresses("10.0.0.5", "10.0.0.100", "fd00::5")
	tests := map[string]struct {
		vm   string
		want nutanix.VM
	}{
		"nothing but an identity": {`{"extId":"A"}`, nutanix.VM{UUID: "a"}},
		"everything null":         {`{"extId":"A","name":null,"nics":null,"cluster":null,"host":null,"categories":null,"powerState":null}`, nutanix.VM{UUID: "a"}},
		"empty parts":             {`{"extId":"A","nics":[{},null],"cluster":{},"host":{},"categories":[{}]}`, nutanix.VM{UUID: "a", NICs: make([]nutanix.NIC, 2), CategoryUUIDs: []string{""}}},
		"all of it": {
			`{"extId":"A","name":"node-1","biosUuid":"B","powerState":"ON","customAttributes":["providerID:x"],"cluster":{"extId":"C"},"host":{"extId":"H"},` +
				`"numSockets":4,"numCoresPerSocket":2,"numThreadsPerCore":1,"memorySizeBytes":8589934592,"categories":[{"extId":"K"}],"somethingNew":{"a":1}}`,
			nutanix.VM{
				UUID: "a", Name: "node-1", BIOSUUID: "b", PowerState: nutanix.PowerOn, CustomAttributes: []string{"providerID:x"}, PrismElementUUID: "c",
				HostUUID: "h", Sockets: 4, CoresPerSocket: 2, ThreadsPerCore: 1, MemoryBytes: 8 << 30, CategoryUUIDs: []string{"k"},
			},
		},
		"off":          {`{"extId":"A","powerState":"OFF"}`, nutanix.VM{UUID: "a", PowerState: nutanix.PowerOff}},
		"paused":       {`{"extId":"A","powerState":"PAUSED"}`, nutanix.VM{UUID: "a", PowerState: nutanix.PowerPaused}},
		"undetermined": {`{"extId":"A","powerState":"UNDETERMINED"}`, nutanix.VM{UUID: "a", PowerState: nutanix.PowerUndetermined}},
		"a new state":  {`{"extId":"A","powerState":"HIBERNATING"}`, nutanix.VM{UUID: "a"}},
		"networkInfo of v4.0": {
			`{"extId":"A","nics":[{"extId":"N1","networkInfo":{` + network + `}}]}`, nutanix.VM{UUID: "a", NICs: []nutanix.NIC{old}},
		},
		"VirtualEthernet": {
			`{"extId":"A","nics":[{"extId":"N1","nicNetworkInfo":{"$objectType":"vmm.v4.ahv.config.VirtualEthernetNicNetworkInfo",` + network + v6 + `}}]}`,
			nutanix.VM{UUID: "a", NICs: []nutanix.NIC{dual}},
		},
		"DpOffload": {
			`{"extId":"A","nics":[{"extId":"N1","nicNetworkInfo":{"$objectType":"vmm.v4.ahv.config.DpOffloadNicNetworkInfo",` + network + v6 + `}}]}`,
			nutanix.VM{UUID: "a", NICs: []nutanix.NIC{dual}},
		},
		"SR-IOV": {
			`{"extId":"A","nics":[{"extId":"N1","nicNetworkInfo":{"$objectType":"vmm.v4.ahv.config.SriovNicNetworkInfo","vlanId":7}}]}`,
			nutanix.VM{UUID: "a", NICs: []nutanix.NIC{{UUID: "n1"}}},
		},
		"new and old together": {
			`{"extId":"A","nics":[{"extId":"N1","nicNetworkInfo":{"$objectType":"vmm.v4.ahv.config.VirtualEthernetNicNetworkInfo"` + v6 + `},"networkInfo":{` + network + `}}]}`,
			nutanix.VM{UUID: "a", NICs: []nutanix.NIC{dual}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCentral(t)
			c.On(vmsPath, answer(200, items(1, test.vm)))
			got, err := c.client(t, nil).ListVMs(t.Context(), filterNone)
			require.NoError(t, err)
			assert.Equal(t, []nutanix.VM{test.want}, got)
		})
	}
}

func TestListVMsRejectsAnUnknownKindOfNIC(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	c.On(vmsPath, answer(200, items(1, `{"extId":"a","nics":[{"nicNetworkInfo":{"$objectType":"vmm.v4.ahv.config.Telepathic"}}]}`)))
	got, err := c.client(t, nil).ListVMs(t.Context(), filterNone)
	assert.Equal(t, nutanix.Unavailable, nutanix.KindOf(err), "%v", err)
	assert.Empty(t, got)
}

func TestInvalidIDsAreNotSent(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	client := c.client(t, nil)
	for _, id := range []string{"", ".", ".."} {
		_, err := client.ListRoutes(t.Context(), id)
		assert.Equal(t, nutanix.Invalid, nutanix.KindOf(err))
		_, err = client.ReserveIP(t.Context(), id, netip.Addr{}, "k/uid")
		assert.Equal(t, nutanix.Invalid, nutanix.KindOf(err))
		assert.Equal(t, nutanix.Invalid, nutanix.KindOf(client.DeleteFloatingIP(t.Context(), nutanix.FloatingIP{UUID: id})))
	}
	assert.Empty(t, c.Requests())
}

// TestOtherKinds proves the same for everything that is only read.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	client := c.client(t, nil)
	serve := func(path string, all ...string) { c.On("GET "+path, answer(200, items(len(all), all...))) }

	serve("clustermgmt/config/clusters", `{"extId":"A"}`, `{"extId":"B","name":"pc","config":{"clusterFunction":["PRISM_CENTRAL"]}}`,
		`{"extId":"C","name":"pc2","config":{"clusterFunction":["AOS"],"clusterSoftwareMap":[{"softwareType":"PRISM_CENTRAL"}]}}`,
		`{"extId":"D","name":"pe","categories":["K"],"config":{"clusterFunction":["AOS",null],"clusterSoftwareMap":[{"softwareType":"NOS"},{}]}}`)
	elements, err := client.ListPrismElements(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []nutanix.PrismElement{
		{UUID: "a"}, {UUID: "b", Name: "pc", IsPrismCentral: true}, {UUID: "c", Name: "pc2", IsPrismCentral: true},
		{UUID: "d", Name: "pe", CategoryUUIDs: []string{"k"}},
	}, elements)

	serve("clustermgmt/config/hosts", `{"extId":"A"}`, `{"extId":"B","hostName":"h","cluster":{"uuid":"D"}}`)
	hosts, err := client.ListHosts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []nutanix.Host{{UUID: "a"}, {UUID: "b", Name: "h", PrismElementUUID: "d"}}, hosts)

	serve("prism/config/categories", `{"extId":"A","key":"zone","value":"z1"}`, `{"extId":"B","key":"zone2","value":"z1"}`)
	categories, err := client.ListCategories(t.Context(), "zone")
	require.NoError(t, err)
	assert.Equal(t, []nutanix.Category{{UUID: "a", Key: "zone", Value: "z1"}}, categories)

	serve("networking/config/subnets", `{"extId":"A","name":"vlan"}`,
		`{"extId":"B","name":"overlay","vpcReference":"V","ipConfig":[{},{"ipv4":{"ipSubnet":{"ip":{"value":"10.1.2.3"},"prefixLength":16}}}]}`,
		`{"extId":"C","name":"nat","isExternal":true,"ipPrefix":"10.2.0.0/24"}`,
		`{"extId":"D","name":"routed","isExternal":true,"isNatEnabled":false,"ipPrefix":"nonsense"}`)
	subnets, err := client.ListSubnets(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, []nutanix.Subnet{
		{UUID: "a", Name: "vlan"}, {UUID: "b", Name: "overlay", VPCUUID: "v", Prefix: netip.MustParsePrefix("10.1.0.0/16")},
		{UUID: "c", Name: "nat", IsExternal: true, IsNAT: true, Prefix: netip.MustParsePrefix("10.2.0.0/24")},
		{UUID: "d", Name: "routed", IsExternal: true},
	}, subnets)

	serve("networking/config/vpcs", `{"extId":"V","name":"vpc"}`, `{"extId":"W","name":"vpc2"}`)
	vpcs, err := client.ListVPCs(t.Context(), "vpc")
	require.NoError(t, err)
	assert.Equal(t, []nutanix.VPC{{UUID: "v", Name: "vpc"}}, vpcs)

	serve("networking/config/route-tables", `{"extId":"T","vpcReference":"V"}`, `{"extId":"U","vpcReference":"W"}`, `{"extId":"X","vpcReference":"W"}`)
	table, err := client.RouteTableOfVPC(t.Context(), "v")
	require.NoError(t, err)
	assert.Equal(t, "t", table)
	_, err = client.RouteTableOfVPC(t.Context(), "none")
	assert.Equal(t, nutanix.NotFound, nutanix.KindOf(err))
	_, err = client.RouteTableOfVPC(t.Context(), "w")
	assert.Equal(t, nutanix.Conflict, nutanix.KindOf(err))
}

// TestNetworkObjects proves what is read of load balancer sessions, floating IPs and routes.
func TestNetworkObjects(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	client := c.client(t, nil)
	serve := func(path string, all ...string) { c.On("GET "+path, answer(200, items(len(all), all...))) }

	serve(sessionPath, `{"extId":"A"}`, `{"extId":"B","name":"k-1","listener":{"protocol":"UDP","portRanges":[{"startPort":53,"endPort":53}],`+
		`"virtualIP":{"subnetReference":"S","ipAddress":{"ipv4":{"value":"10.0.0.9","prefixLength":32}}}},"healthCheckConfig":{"intervalSecs":5},`+
		`"targetsConfig":{"nicTargets":[{"virtualNicReference":"N","port":30053,"health":"HEALTHY"},{"health":"UNHEALTHY"},{"health":"NEW"}]}}`)
	sessions, err := client.ListLoadBalancerSessions(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, []nutanix.LoadBalancerSession{{UUID: "a"}, {
		UUID: "b", Name: "k-1", Protocol: nutanix.UDP, Port: 53, SubnetUUID: "s", VirtualIP: netip.MustParseAddr("10.0.0.9"),
		// What is missing is the API's default: the vendor's model fills it in.
		HealthCheck: nutanix.HealthCheck{IntervalSeconds: 5, TimeoutSeconds: 2, SuccessThreshold: 3, FailureThreshold: 3},
		Targets:     []nutanix.Target{{NICUUID: "n", Port: 30053, Healthy: ptr.To(true)}, {Healthy: ptr.To(false)}, {}},
	}}, sessions)

	serve("networking/config/floating-ips", `{"extId":"A"}`,
		`{"extId":"B","externalSubnetReference":"E","floatingIp":{"ipv4":{"value":"198.51.100.7"}},"association":{"$objectType":"networking.v4.config.LoadBalancerSessionAssociation",`+
			`"loadBalancerSessionReference":"L"},"vpcReference":"V"}`,
		`{"extId":"C","floatingIpValue":"198.51.100.8","association":{"$objectType":"networking.v4.config.PrivateIpAssociation","privateIp":{"ipv4":{"value":"10.0.0.5"}},"vpcReference":"V"}}`,
		`{"extId":"D","association":{"$objectType":"networking.v4.config.VmNicAssociation","vmNicReference":"N"}}`,
		`{"extId":"F","loadBalancerSessionReference":"L"}`)
	ips, err := client.ListFloatingIPs(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, []nutanix.FloatingIP{
		{UUID: "a"},
		{UUID: "b", ExternalSubnetUUID: "e", Address: netip.MustParseAddr("198.51.100.7"), LoadBalancerSessionUUID: "l", VPCUUID: "v"},
		{UUID: "c", Address: netip.MustParseAddr("198.51.100.8"), PrivateIP: netip.MustParseAddr("10.0.0.5"), VPCUUID: "v"},
		{UUID: "d"}, {UUID: "f", LoadBalancerSessionUUID: "l"},
	}, ips)

	serve("networking/config/route-tables/T/routes", `{"extId":"A"}`,
		`{"extId":"B","routeType":"STATIC","destination":{"ipv4":{"ip":{"value":"10.244.1.0"},"prefixLength":24}},"nexthop":{"nexthopType":"IP_ADDRESS","nexthopIpAddress":{"ipv4":{"value":"10.0.0.5"}}}}`,
		`{"extId":"C","routeType":"STATIC","destination":{"ipv4":{"ip":{"value":"0.0.0.0"},"prefixLength":0}},"nexthop":{"nexthopType":"EXTERNAL_SUBNET","nexthopReference":"E"}}`,
		`{"extId":"D","routeType":"LOCAL","destination":{"ipv6":{"ip":{"value":"fd00::"},"prefixLength":64}}}`,
		`{"extId":"E","destination":{"ipv4":{"ip":{"value":"10.0.0.0"},"prefixLength":99}}}`)
	routes, err := client.ListRoutes(t.Context(), "T")
	require.NoError(t, err)
	assert.Equal(t, []nutanix.Route{
		{UUID: "a", RouteTableUUID: "t"},
		{UUID: "b", RouteTableUUID: "t", IsStatic: true, Destination: netip.MustParsePrefix("10.244.1.0/24"), NextHop: netip.MustParseAddr("10.0.0.5")},
		{UUID: "c", RouteTableUUID: "t", IsStatic: true, Destination: netip.MustParsePrefix("0.0.0.0/0")},
		{UUID: "d", RouteTableUUID: "t", Destination: netip.MustParsePrefix("fd00::/64")},
		{UUID: "e", RouteTableUUID: "t"},
	}, routes)
}

// TestRequestsThatMakeNoSense are refused before anything is sent.
func TestRequestsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	c := newCentral(t)
	client := c.client(t, nil)
	ip := ourFloatingIP()
	ip.PrivateIP = netip.MustParseAddr("10.0.0.5")
	_, err := client.CreateFloatingIP(t.Context(), ip)
	assert.Equal(t, nutanix.Invalid, nutanix.KindOf(err))
	route := ourRoute()
	route.NextHop = netip.Addr{}
	_, err = client.CreateRoute(t.Context(), route)
	assert.Equal(t, nutanix.Invalid, nutanix.KindOf(err))
	assert.Empty(t, c.Requests())
}
