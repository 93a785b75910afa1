package prismsim_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	netcfg "github.com/nutanix/ntnx-api-golang-clients/networking-go-client/v4/models/networking/v4/config"

	"github.com/capnt/capnt/e2e/prismsim"
)

// table returns the route table of a VPC.
func (f *networkFixture) table(vpc string) *string {
	f.t.Helper()
	list, err := f.tables.ListRouteTables(nil, nil, ptr("vpcReference eq '"+*f.id("vpc", vpc)+"'"), nil)
	require.NoError(f.t, err)
	tables := list.GetData().([]netcfg.RouteTable)
	require.Len(f.t, tables, 1, "every VPC has one")
	response, err := f.tables.GetRouteTableById(tables[0].ExtId)
	require.NoError(f.t, err)
	return response.GetData().(netcfg.RouteTable).ExtId
}

// routeTo returns a static route whose next hop is the address hop.
func routeTo(name, destination string, bits int, hop string) *netcfg.Route {
	out := netcfg.NewRoute()
	out.Name, out.RouteType = &name, netcfg.ROUTETYPE_STATIC.Ref()
	out.Destination = netcfg.NewIPSubnet()
	out.Destination.Ipv4 = netcfg.NewIPv4Subnet()
	out.Destination.Ipv4.Ip, out.Destination.Ipv4.PrefixLength = ipv4(destination).Ipv4, &bits
	out.Nexthop = netcfg.NewNexthop()
	out.Nexthop.NexthopType, out.Nexthop.NexthopIpAddress = netcfg.NEXTHOPTYPE_IP_ADDRESS.Ref(), ipv4(hop)
	return out
}

// viaSubnet sets the next hop of a route to an external subnet.
func viaSubnet(route *netcfg.Route, subnet *string) *netcfg.Route {
	route.Nexthop = netcfg.NewNexthop()
	route.Nexthop.NexthopType, route.Nexthop.NexthopReference = netcfg.NEXTHOPTYPE_EXTERNAL_SUBNET.Ref(), subnet
	return route
}

func TestRoutesOfAVPC(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	table := f.table("blue")
	id := f.done(f.routes.CreateRouteForRouteTable(table, routeTo("pods", "10.244.1.0", 24, "127.60.1.10")))
	f.done(f.routes.CreateRouteForRouteTable(table, viaSubnet(routeTo("default", "0.0.0.0", 0, "127.60.1.10"), f.id("subnet", "outside"))))

	list, err := f.routes.ListRoutesByRouteTableId(table, nil, nil, nil, nil)
	require.NoError(t, err)
	routes := list.GetData().([]netcfg.Route)
	require.Len(t, routes, 4)
	assert.Equal(t, netcfg.ROUTETYPE_LOCAL, *routes[0].RouteType)
	assert.Equal(t, *f.id("subnet", "blue-nodes"), *routes[0].Nexthop.NexthopReference)
	assert.Equal(t, "127.60.1.0", *routes[0].Destination.Ipv4.Ip.Value)
	assert.Equal(t, "outside 127.60.9.1", *routes[3].Nexthop.NexthopName+" "+*routes[3].Nexthop.NexthopIpAddress.Ipv4.Value)

	response, err := f.routes.GetRouteForRouteTableById(&id, table)
	require.NoError(t, err)
	got := response.GetData().(netcfg.Route)
	assert.Equal(t, netcfg.ROUTETYPE_STATIC, *got.RouteType)
	assert.True(t, *got.IsActive)
	assert.Equal(t, *table+" "+*f.id("vpc", "blue"), *got.RouteTableReference+" "+*got.VpcReference)
	got.Nexthop.NexthopIpAddress = ipv4("127.60.2.20")
	f.done(f.routes.UpdateRouteForRouteTableById(&id, table, &got))
	_, err = f.routes.UpdateRouteForRouteTableById(&id, table, &got)
	require.ErrorContains(t, err, "it doesn't match the current value")
	assert.Equal(t, []prismsim.Route{
		{UUID: id, Name: "pods", VPC: "blue", Destination: "10.244.1.0/24", NextHop: "127.60.2.20"},
		{UUID: *routes[3].ExtId, Name: "default", VPC: "blue", Destination: "0.0.0.0/0", NextHop: "outside"},
	}, f.server.Routes())

	f.fails(invalid, "Local route")(f.routes.DeleteRouteForRouteTableById(routes[0].ExtId, table))
	f.done(f.routes.DeleteRouteForRouteTableById(&id, table))
	_, err = f.routes.GetRouteForRouteTableById(&id, table)
	require.ErrorContains(t, err, "NETWORKING-10060")
	require.NoError(t, f.server.DeleteRoute(*routes[3].ExtId))
	require.Error(t, f.server.DeleteRoute(*routes[3].ExtId))
	assert.Empty(t, f.server.Routes())
}

func TestRouteRequirements(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{MaxRoutes: 2})
	table := f.table("blue")
	first := f.done(f.routes.CreateRouteForRouteTable(table, routeTo("first", "10.244.1.0", 24, "127.60.1.10")))
	second := f.done(f.routes.CreateRouteForRouteTable(f.table("green"), routeTo("same in another VPC", "10.244.1.0", 24, "127.60.3.10")))
	f.fails(exhausted, "The maximum number of routes (2) is reached")(
		f.routes.CreateRouteForRouteTable(table, routeTo("third", "10.244.3.0", 24, "127.60.1.10")))
	f.done(f.routes.DeleteRouteForRouteTableById(&second, f.table("green")))

	tests := map[string]struct {
		code, text string
		route      *netcfg.Route
	}{
		"duplicate":          {conflict, "Route " + first + " with destination 10.244.1.0/24 already exists", routeTo("r", "10.244.1.0", 24, "127.60.1.11")},
		"local subnet":       {conflict, "it is a local subnet", routeTo("r", "127.60.1.0", 24, "127.60.1.11")},
		"host bits":          {invalid, "beyond its prefix length", routeTo("r", "10.244.1.1", 24, "127.60.1.11")},
		"hop elsewhere":      {invalid, "is not an address of a subnet of VPC", routeTo("r", "10.244.2.0", 24, "127.60.3.10")},
		"external elsewhere": {notFound, "is not attached to VPC", viaSubnet(routeTo("r", "10.244.2.0", 24, "127.60.1.11"), f.id("subnet", "vlan"))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f.on(t).fails(test.code, test.text)(f.routes.CreateRouteForRouteTable(table, test.route))
		})
	}
	vpn := routeTo("r", "10.244.2.0", 24, "127.60.1.11")
	vpn.Nexthop.NexthopType = netcfg.NEXTHOPTYPE_VPN_CONNECTION.Ref()
	f.fails(invalid, "VPN_CONNECTION is not supported")(f.routes.CreateRouteForRouteTable(table, vpn))
	foreign := routeTo("r", "10.244.2.0", 24, "127.60.1.11")
	foreign.VpcReference = f.id("vpc", "green")
	f.fails(invalid, "does not belong to VPC")(f.routes.CreateRouteForRouteTable(table, foreign))
	local := routeTo("r", "10.244.2.0", 24, "127.60.1.11")
	local.RouteType = netcfg.ROUTETYPE_LOCAL.Ref()
	_, err := f.routes.CreateRouteForRouteTable(table, local)
	require.ErrorContains(t, err, "routeType")
	_, err = f.routes.CreateRouteForRouteTable(ptr(unknown), routeTo("r", "10.244.2.0", 24, "127.60.1.11"))
	require.ErrorContains(t, err, "Route Table "+unknown+" not found")

	f.server.SetNetworkRules(prismsim.NetworkRules{NoAddressNextHop: true})
	f.fails(invalid, "Next hop type IP_ADDRESS is not supported")(
		f.routes.CreateRouteForRouteTable(table, routeTo("r", "10.244.2.0", 24, "127.60.1.11")))
	assert.Len(t, f.server.Routes(), 1)
}

func TestVPCsAndSubnets(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{})
	vpcs, err := f.vpcs.ListVpcs(nil, nil, nil, ptr("name"), nil)
	require.NoError(t, err)
	all := vpcs.GetData().([]netcfg.Vpc)
	require.Len(t, all, 3)
	assert.Equal(t, []string{"blue", "green", "lonely-vpc"}, []string{*all[0].Name, *all[1].Name, *all[2].Name})
	got, err := f.vpcs.GetVpcById(all[0].ExtId)
	require.NoError(t, err)
	blue := got.GetData().(netcfg.Vpc)
	require.Len(t, blue.ExternalSubnets, 2)
	assert.Equal(t, "127.60.9.10", *blue.SnatIps[0].Ipv4.Value)
	assert.Len(t, blue.SnatIps, 1, "only where there is NAT")
	assert.Equal(t, "127.60.10.10", *blue.ExternalSubnets[1].ExternalIps[0].Ipv4.Value)
	assert.Equal(t, "127.60.2.0", *blue.ExternallyRoutablePrefixes[0].Ipv4.Ip.Value)

	list, err := f.subnets.ListSubnets(nil, nil, ptr("vpcReference eq '"+*blue.ExtId+"'"), nil, nil, nil)
	require.NoError(t, err)
	overlay := list.GetData().([]netcfg.Subnet)
	require.Len(t, overlay, 2)
	assert.Equal(t, netcfg.SUBNETTYPE_OVERLAY, *overlay[0].SubnetType)
	config := overlay[0].IpConfig[0].Ipv4
	assert.Equal(t, "127.60.1.0 24 127.60.1.1", *config.IpSubnet.Ip.Value+" 24 "+*config.DefaultGatewayIp.Value)
	assert.Equal(t, 24, *config.IpSubnet.PrefixLength)
	assert.Nil(t, overlay[0].ClusterReference)

	list, err = f.subnets.ListSubnets(nil, nil, ptr("isExternal eq true and isNatEnabled eq true"), nil, nil, nil)
	require.NoError(t, err)
	external := list.GetData().([]netcfg.Subnet)
	require.Len(t, external, 1)
	assert.Equal(t, "outside", *external[0].Name)
	assert.Equal(t, *f.id("cluster", "pe"), *external[0].ClusterReference)
	assert.Equal(t, 9, *external[0].NetworkId)

	response, err := f.subnets.GetSubnetById(f.id("subnet", "wild"))
	require.NoError(t, err)
	assert.Empty(t, response.GetData().(netcfg.Subnet).IpConfig, "Prism does not manage its addresses")
	_, err = f.subnets.GetSubnetById(ptr(unknown))
	require.ErrorContains(t, err, "NETWORKING-10060")
	_, err = f.vpcs.GetVpcById(ptr(unknown))
	require.ErrorContains(t, err, "VPC "+unknown+" not found")
}

func TestStateContainsNetwork(t *testing.T) {
	f := startNetwork(t, prismsim.NetworkRules{MaxRoutes: 7})
	f.done(f.sessions.CreateLoadBalancerSession(f.sessionOn("web", "127.60.2.11")))
	require.NoError(t, f.server.ReserveIP("vlan", "127.60.11.10", "c"))
	response, body := request(t, f.server, http.MethodGet, "/sim/state", "", nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, body, `"reservedIPs":[{"subnet":"vlan","address":"127.60.11.10","clientContext":"c"}]`)
	assert.Contains(t, body, `"virtualIP":"127.60.2.11"`)
	assert.Contains(t, body, `"floatingIPs":[],"routes":[],"rules":{"maxRoutes":7}`)
}

func TestInventoriesWithVPCsAreChecked(t *testing.T) {
	const pe = "prismElements: [{name: pe}]\n"
	const external = "subnets: [{name: out, prismElement: pe, cidr: 127.9.0.0/24, ipam: true, pools: [127.9.0.9-127.9.0.9], external: true}]\n"
	tests := map[string]string{
		pe + "vpcs: [{name: v}, {name: v}]":                                                                                "appears twice",
		pe + "vpcs: [{name: v, externalSubnets: [out]}]":                                                                   `"out" is not an external subnet`,
		pe + "vpcs: [{name: v, routablePrefixes: [127.9.0.1/24]}]":                                                         "is not an IPv4 CIDR",
		pe + "subnets: [{name: n, prismElement: pe, vpc: v}]":                                                              "only an overlay subnet belongs to a VPC",
		pe + "subnets: [{name: n, type: OVERLAY, vpc: v}]":                                                                 `"v" is not in vpcs`,
		pe + "subnets: [{name: n, prismElement: pe, external: true}]":                                                      "is a VLAN with ipam",
		pe + "subnets: [{name: n, prismElement: pe, nat: false}]":                                                          "only an external subnet translates",
		pe + external + "vpcs: [{name: a, externalSubnets: [out]}, {name: b, externalSubnets: [out]}]":                     "",
		pe + external + "vpcs: [{name: a, externalSubnets: [out], uuid: x}]":                                               `"x" is not a UUID`,
		pe + "subnets: [{name: n, type: OVERLAY, cidr: 127.9.1.0/24, ipam: true, pools: [127.9.1.9-127.9.1.9]}]\nvpcs: []": "",
	}
	for text, want := range tests {
		_, err := prismsim.ParseInventory([]byte(text))
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
	inventory, err := prismsim.ParseInventory([]byte(pe + external + "vpcs: [{name: a, externalSubnets: [out]}, {name: b, externalSubnets: [out]}]"))
	require.NoError(t, err)
	_, err = prismsim.New(prismsim.Options{Inventory: inventory, Password: testPassword})
	require.ErrorContains(t, err, "no free address is left in external subnet")
}
